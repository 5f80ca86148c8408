// One pass over clickhouse-go, "native" or "http". Prints a JSON line for each step; tests/clients/programs.py describes the exchange.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

var lines = bufio.NewReader(os.Stdin)

func write(value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}

func step(name string, run func() (any, error)) {
	value, err := run()
	if err == nil {
		write(map[string]any{"step": name, "value": value})
		return
	}
	code := -1
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		code = int(exception.Code)
	}
	write(map[string]any{"step": name, "code": code, "message": err.Error()})
}

func main() {
	protocol, address := clickhouse.Native, "127.0.0.1:"+os.Getenv("CLIENT_PORT")
	if os.Args[1] == "http" {
		protocol, address = clickhouse.HTTP, "127.0.0.1:"+os.Getenv("CLIENT_HTTP_PORT")
	}
	connection, err := clickhouse.Open(&clickhouse.Options{
		Addr:        []string{address},
		Protocol:    protocol,
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
		Auth: clickhouse.Auth{
			Database: os.Getenv("CLIENT_DATABASE"),
			Username: os.Getenv("CLIENT_USER"),
			Password: os.Getenv("CLIENT_PASSWORD"),
		},
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	step("connect", func() (any, error) {
		if err := connection.Ping(ctx); err != nil {
			return nil, err
		}
		var version string
		err := connection.QueryRow(ctx, "SELECT version()").Scan(&version)
		return version, err
	})
	step("list", func() (any, error) {
		rows, err := connection.Query(ctx, "SHOW TABLES")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		names := []string{}
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return nil, err
			}
			names = append(names, name)
		}
		return names, rows.Err()
	})
	step("describe", func() (any, error) {
		rows, err := connection.Query(ctx, "DESCRIBE TABLE typed")
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		columns := [][]string{}
		for rows.Next() {
			var each [7]string
			if err := rows.Scan(&each[0], &each[1], &each[2], &each[3], &each[4], &each[5], &each[6]); err != nil {
				return nil, err
			}
			columns = append(columns, each[:2])
		}
		return columns, rows.Err()
	})
	step("select", func() (any, error) { return typed(connection, ctx) })
	step("parameters", func() (any, error) {
		var n int32
		var s string
		with := clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"n": "7", "s": os.Getenv("CLIENT_TEXT")}))
		err := connection.QueryRow(with, "SELECT {n:Int32}, {s:String}").Scan(&n, &s)
		return []any{n, s}, err
	})
	step("insert", func() (any, error) { return insert(connection, ctx) })
	step("stream", func() (any, error) {
		rows, err := connection.Query(ctx, os.Getenv("CLIENT_STREAM"))
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var count, sum uint64
		for rows.Next() {
			var number uint64
			var text string
			if err := rows.Scan(&number, &text); err != nil {
				return nil, err
			}
			count++
			sum += number
		}
		return []uint64{count, sum}, rows.Err()
	})
	step("error", func() (any, error) { return nil, connection.Exec(ctx, os.Getenv("CLIENT_WRONG")) })
	step("cancel", func() (any, error) {
		stoppable, stop := context.WithCancel(clickhouse.Context(ctx, clickhouse.WithQueryID(os.Getenv("CLIENT_QUERY_ID"))))
		defer stop()
		ended := make(chan string)
		go func() {
			var sum uint64
			if err := connection.QueryRow(stoppable, os.Getenv("CLIENT_SLOW")).Scan(&sum); err != nil {
				ended <- "stopped"
			} else {
				ended <- "answered"
			}
		}()
		write(map[string]any{"running": true})
		lines.ReadString('\n') // the test has seen the query on the server
		stop()
		return <-ended, nil
	})
}

func typed(connection driver.Conn, ctx context.Context) (any, error) {
	var (
		i8      int8
		u64     uint64
		f64     float64
		dec     decimal.Decimal
		day, dt time.Time
		enum    string
		array   []uint8
		null    *string
		lc      string
		id      uuid.UUID
		mapped  map[string]uint8
		flag    bool
	)
	err := connection.QueryRow(ctx, os.Getenv("CLIENT_SELECT")).Scan(
		&i8, &u64, &f64, &dec, &day, &dt, &enum, &array, &null, &lc, &id, &mapped, &flag)
	numbers := []int{} // encoding/json writes bytes as base64
	for _, each := range array {
		numbers = append(numbers, int(each))
	}
	return []any{i8, fmt.Sprint(u64), f64, dec.String(), day.Format("2006-01-02"), dt.UTC().Format("2006-01-02T15:04:05.000"),
		enum, numbers, null, lc, id.String(), mapped, flag}, err
}

func insert(connection driver.Conn, ctx context.Context) (any, error) {
	batch, err := connection.PrepareBatch(ctx, "INSERT INTO "+os.Getenv("CLIENT_TABLE"))
	if err != nil {
		return nil, err
	}
	for n := int32(1); n <= 3; n++ {
		if err := batch.Append(n, fmt.Sprintf("row %d", n)); err != nil {
			return nil, err
		}
	}
	if err := batch.Send(); err != nil {
		return nil, err
	}
	rows, err := connection.Query(ctx, "SELECT n, s FROM "+os.Getenv("CLIENT_TABLE")+" ORDER BY n")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := [][]any{}
	for rows.Next() {
		var n int32
		var s string
		if err := rows.Scan(&n, &s); err != nil {
			return nil, err
		}
		all = append(all, []any{n, s})
	}
	return all, rows.Err()
}
