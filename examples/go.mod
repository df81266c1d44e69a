module sockpool.example

go 1.19
