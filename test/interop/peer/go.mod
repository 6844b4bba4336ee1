module meshlib/interop

go 1.26.0
