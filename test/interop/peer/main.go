// The Go ends of test/interop/run.py, of the standard library alone:
//
//	interop serve FOLDER        prints the addresses of three servers: plaintext
//	                            (HTTP/1.1, HTTP/2 with prior knowledge), mTLS
//	                            (both, by ALPN), and plaintext that closes
//	                            idle connections soon
//	interop call FOLDER URL P   checks a server with protocol P: http1 or http2
//
// FOLDER has the certificates. Routes are those of peer_routes.h.
package main

import (
	"fmt"
	"os"
)

func main() {
	err := fmt.Errorf("usage: see the top of main.go")
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "call":
		err = call(os.Args[2], os.Args[3], os.Args[4] == "http2")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
