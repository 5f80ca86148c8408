import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;

/** One pass over the JDBC driver. Prints a JSON line for each step; tests/clients/programs.py describes the exchange. */
public final class JdbcClient {
  interface Step {
    Object run() throws Exception;
  }

  private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));

  public static void main(String[] arguments) throws Exception {
    Map<String, String> env = System.getenv();
    Properties properties = new Properties();
    properties.setProperty("user", env.get("CLIENT_USER"));
    properties.setProperty("password", env.get("CLIENT_PASSWORD"));
    String database = env.get("CLIENT_DATABASE");
    String url = "jdbc:clickhouse://127.0.0.1:" + env.get("CLIENT_HTTP_PORT") + "/" + database;
    try (Connection connection = DriverManager.getConnection(url, properties)) {
      step("connect", () -> query(connection, "SELECT version()").get(0).get(0));
      step("list", () -> {
        List<Object> names = new ArrayList<>();
        try (ResultSet rows = connection.getMetaData().getTables(null, database, "%", null)) {
          while (rows.next()) names.add(rows.getString("TABLE_NAME"));
        }
        return names;
      });
      step("describe", () -> {
        List<Object> columns = new ArrayList<>();
        try (ResultSet rows = connection.getMetaData().getColumns(null, database, "typed", "%")) {
          while (rows.next()) columns.add(List.of(rows.getString("COLUMN_NAME"), rows.getString("TYPE_NAME")));
        }
        return columns;
      });
      step("select", () -> query(connection, env.get("CLIENT_SELECT")).get(0));
      step("parameters", () -> {
        try (PreparedStatement statement = connection.prepareStatement("SELECT ?, ?")) {
          statement.setInt(1, 7);
          statement.setString(2, env.get("CLIENT_TEXT"));
          try (ResultSet row = statement.executeQuery()) {
            row.next();
            return List.of(row.getInt(1), row.getString(2));
          }
        }
      });
      step("insert", () -> {
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO " + env.get("CLIENT_TABLE") + " VALUES (?, ?)")) {
          for (int n = 1; n <= 3; n++) {
            statement.setInt(1, n);
            statement.setString(2, "row " + n);
            statement.addBatch();
          }
          statement.executeBatch();
        }
        return query(connection, "SELECT n, s FROM " + env.get("CLIENT_TABLE") + " ORDER BY n");
      });
      step("stream", () -> {
        long count = 0;
        long sum = 0;
        try (Statement statement = connection.createStatement();
            ResultSet rows = statement.executeQuery(env.get("CLIENT_STREAM"))) {
          while (rows.next()) {
            count++;
            sum += rows.getLong(1);
          }
        }
        return List.of(count, sum);
      });
      step("error", () -> query(connection, env.get("CLIENT_WRONG")));
      step("cancel", () -> cancel(connection, env.get("CLIENT_SLOW")));
    }
    System.exit(0); // the cancelled statement's thread may still wait
  }

  private static Object cancel(Connection connection, String sql) throws Exception {
    CountDownLatch ended = new CountDownLatch(1);
    String[] outcome = {"answered"};
    try (Statement statement = connection.createStatement()) {
      Thread thread = new Thread(() -> {
        try {
          statement.executeQuery(sql);
        } catch (SQLException error) {
          outcome[0] = "stopped";
        }
        ended.countDown();
      });
      thread.setDaemon(true);
      thread.start();
      System.out.println("{\"running\": true}");
      IN.readLine(); // the test has seen the query on the server
      statement.cancel();
      ended.await();
    }
    return outcome[0];
  }

  private static List<List<Object>> query(Connection connection, String sql) throws SQLException {
    try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
      List<List<Object>> all = new ArrayList<>();
      int width = rows.getMetaData().getColumnCount();
      while (rows.next()) {
        List<Object> row = new ArrayList<>();
        for (int column = 1; column <= width; column++) row.add(rows.getObject(column));
        all.add(row);
      }
      return all;
    }
  }

  private static void step(String name, Step step) throws SQLException {
    String line;
    try {
      line = "{\"step\": " + json(name) + ", \"value\": " + json(step.run()) + "}";
    } catch (SQLException error) {
      line = "{\"step\": " + json(name) + ", \"code\": " + error.getErrorCode() + ", \"message\": " + json(error.getMessage()) + "}";
    } catch (Exception error) {
      line = "{\"step\": " + json(name) + ", \"code\": -1, \"message\": " + json(error.toString()) + "}";
    }
    System.out.println(line);
  }

  private static String json(Object value) throws SQLException {
    if (value == null) return "null";
    if (value instanceof Boolean || value instanceof Byte || value instanceof Short || value instanceof Integer
        || value instanceof Long || value instanceof Float || value instanceof Double) return value.toString();
    if (value instanceof Timestamp time) return json(time.toInstant());
    if (value instanceof OffsetDateTime time) return json(time.toInstant());
    if (value instanceof ZonedDateTime time) return json(time.toInstant());
    if (value instanceof Instant time) return json(LocalDateTime.ofInstant(time, ZoneOffset.UTC));
    if (value instanceof LocalDateTime time) return json(time.format(DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS")));
    if (value instanceof Array array) return json(array.getArray());
    if (value instanceof Iterable<?> list) {
      List<String> parts = new ArrayList<>();
      for (Object each : list) parts.add(json(each));
      return "[" + String.join(", ", parts) + "]";
    }
    if (value.getClass().isArray()) {
      List<Object> list = new ArrayList<>();
      for (int at = 0; at < java.lang.reflect.Array.getLength(value); at++) list.add(java.lang.reflect.Array.get(value, at));
      return json(list);
    }
    if (value instanceof Map<?, ?> map) {
      List<String> parts = new ArrayList<>();
      for (Map.Entry<?, ?> entry : map.entrySet()) parts.add(json(entry.getKey().toString()) + ": " + json(entry.getValue()));
      return "{" + String.join(", ", parts) + "}";
    }
    StringBuilder text = new StringBuilder("\"");
    for (char letter : value.toString().toCharArray()) {
      if (letter == '"' || letter == '\\') text.append('\\').append(letter);
      else if (letter < ' ') text.append(String.format("\\u%04x", (int) letter));
      else text.append(letter);
    }
    return text.append('"').toString();
  }
}
