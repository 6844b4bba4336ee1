package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

type caller struct {
	client *http.Client
	base   string
	http2  bool
}

// do checks the status, the body and the protocol of one exchange.
func (c *caller) do(method, path string, body []byte, status int, want []byte) (*http.Response, error) {
	request, err := http.NewRequest(method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode != status || !bytes.Equal(got, want) || (response.ProtoMajor == 2) != c.http2 {
		return nil, fmt.Errorf("%s %s: status %d, %d bytes, %s", method, path, response.StatusCode, len(got), response.Proto)
	}
	return response, nil
}

func (c *caller) checks() error {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for _, step := range []struct {
		method, path string
		body         []byte
		status       int
		want         []byte
	}{
		{"GET", "/hello", nil, 200, []byte(hello)},
		{"POST", "/echo", big, 200, big},
		{"POST", "/echo", nil, 200, nil},
		{"HEAD", "/hello", nil, 200, nil},
		{"GET", "/204", nil, 204, nil},
		{"GET", "/304", nil, 304, nil},
		{"GET", "/chunked", nil, 200, []byte(strings.Repeat(piece, pieces))},
		{"GET", "/close", nil, 200, []byte(hello)},
	} {
		for range 20 {
			if _, err := c.do(step.method, step.path, step.body, step.status, step.want); err != nil {
				return err
			}
		}
	}
	for range 20 {
		response, err := c.do("GET", "/trailers", nil, 200, []byte(hello))
		if err != nil {
			return err
		}
		if response.Trailer.Get("x-check") != "done" {
			return fmt.Errorf("/trailers: %v", response.Trailer)
		}
	}
	return c.concurrent()
}

func (c *caller) concurrent() error {
	failures := make([]error, 100)
	var all sync.WaitGroup
	for i := range failures {
		all.Go(func() {
			body := []byte(strings.Repeat(fmt.Sprint(i), 1000))
			for range 20 {
				if _, err := c.do("POST", "/echo", body, 200, body); err != nil {
					failures[i] = err
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

func call(folder, base string, http2 bool) error {
	config, err := mutualTLS(folder, "client")
	if err != nil {
		return err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetHTTP2(http2)
	protocols.SetUnencryptedHTTP2(http2)
	c := &caller{
		client: &http.Client{
			Transport: &http.Transport{TLSClientConfig: config, Protocols: protocols},
			Timeout:   10 * time.Second,
		},
		base:  base,
		http2: http2,
	}
	return c.checks()
}
