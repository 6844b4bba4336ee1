package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	hello  = "hello"
	pieces = 100
	piece  = "one piece of many\n"
)

func routes() http.Handler {
	mux := http.NewServeMux()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	mux.HandleFunc("/hello", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, hello) })
	mux.HandleFunc("/after/{time}", func(w http.ResponseWriter, r *http.Request) {
		pause, _ := time.ParseDuration(r.PathValue("time"))
		time.Sleep(pause)
		io.WriteString(w, hello)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		// HTTP/1.1 of Go reads no more once it has begun to write.
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/trailers", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Check")
		io.WriteString(w, hello)
		w.Header().Set("X-Check", "done")
	})
	mux.HandleFunc("/204", status(204))
	mux.HandleFunc("/304", status(304))
	mux.HandleFunc("/early", status(413))
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		for range pieces {
			io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, _ *http.Request) {
		// With HTTP/2 this makes Go send GOAWAY.
		w.Header().Set("Connection", "close")
		io.WriteString(w, hello)
	})
	return mux
}

func serve(folder string) error {
	config, err := mutualTLS(folder, "server")
	if err != nil {
		return err
	}
	log.SetOutput(io.Discard)
	for _, kind := range []string{"plaintext", "tls", "idle"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: routes(), Protocols: new(http.Protocols)}
		server.Protocols.SetHTTP1(true)
		server.Protocols.SetUnencryptedHTTP2(kind != "tls")
		server.Protocols.SetHTTP2(kind == "tls")
		if kind == "idle" {
			server.IdleTimeout = 5 * time.Millisecond
		}
		if kind == "tls" {
			server.TLSConfig = config
			go server.ServeTLS(listener, "", "")
		} else {
			go server.Serve(listener)
		}
		fmt.Println(strings.Join([]string{kind, listener.Addr().String()}, " "))
	}
	_, err = io.Copy(io.Discard, os.Stdin) // until it ends
	return err
}
