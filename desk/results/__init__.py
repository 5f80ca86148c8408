"""Results of ClickHouse: types, values, file formats and errors. The command line, the API and the console share them."""
