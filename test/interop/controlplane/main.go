// A control plane for test/interop/xds.py: go-control-plane's own server and
// snapshot cache. Prints its address, then answers each line of standard input
// with one line, until that ends:
//
//	set VERSION FILE   serves the resources of a JSON file: lists of messages by
//	                   the name of their type, as in "Cluster"
//	cut                ends all streams
//	cut-after N        from now on streams end after N responses; 0: they do not
//	delay MS           before each response from now on
//	state              what clients have said so far, as JSON
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

// One snapshot serves every node.
type oneNode struct{}

func (oneNode) ID(*core.Node) string { return "all" }

type controlPlane struct {
	server.CallbackFuncs
	cache cache.SnapshotCache

	mutex    sync.Mutex
	cutAfter int
	delay    time.Duration
	cancels  map[int]context.CancelFunc
	next     int
	state    struct {
		Streams int      `json:"streams"`
		Acks    int      `json:"acks"`
		Nacks   []string `json:"nacks"`
		Nodes   []string `json:"nodes"`
	}
}

func (c *controlPlane) heard(request *discovery.DiscoveryRequest) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if request.GetNode().GetId() != "" {
		c.state.Nodes = append(c.state.Nodes, request.GetNode().GetId())
	}
	if problem := request.GetErrorDetail(); problem != nil {
		c.state.Nacks = append(c.state.Nacks, problem.GetMessage())
	} else if request.GetResponseNonce() != "" {
		c.state.Acks++
	}
}

// A stream that misbehaves as it was told to.
type stream struct {
	grpc.ServerStream
	ctx  context.Context
	from *controlPlane
	left int // responses; negative: any number
}

func (s *stream) Context() context.Context { return s.ctx }

func (s *stream) SendMsg(message any) error {
	s.from.mutex.Lock()
	delay := s.from.delay
	s.from.mutex.Unlock()
	time.Sleep(delay)
	if err := s.ServerStream.SendMsg(message); err != nil {
		return err
	}
	if s.left--; s.left == 0 {
		return fmt.Errorf("cut")
	}
	return nil
}

func (c *controlPlane) intercept(service any, raw grpc.ServerStream,
	_ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, cancel := context.WithCancel(raw.Context())
	c.mutex.Lock()
	id := c.next
	c.next++
	c.state.Streams++
	c.cancels[id] = cancel
	left := c.cutAfter
	c.mutex.Unlock()
	if left == 0 {
		left = -1
	}
	defer func() {
		cancel()
		c.mutex.Lock()
		delete(c.cancels, id)
		c.mutex.Unlock()
	}()
	return handler(service, &stream{raw, ctx, c, left})
}

func parse[M types.Resource](texts []json.RawMessage, make func() M) ([]types.Resource, error) {
	var out []types.Resource
	for _, text := range texts {
		made := make()
		if err := protojson.Unmarshal(text, made); err != nil {
			return nil, err
		}
		out = append(out, made)
	}
	return out, nil
}

func (c *controlPlane) set(version, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var lists map[string][]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		return err
	}
	resources := map[resource.Type][]types.Resource{}
	for name, list := range lists {
		var made []types.Resource
		switch name {
		case "Cluster":
			made, err = parse(list, func() *cluster.Cluster { return &cluster.Cluster{} })
			resources[resource.ClusterType] = made
		case "ClusterLoadAssignment":
			made, err = parse(list, func() *endpoint.ClusterLoadAssignment { return &endpoint.ClusterLoadAssignment{} })
			resources[resource.EndpointType] = made
		case "Listener":
			made, err = parse(list, func() *listener.Listener { return &listener.Listener{} })
			resources[resource.ListenerType] = made
		case "RouteConfiguration":
			made, err = parse(list, func() *route.RouteConfiguration { return &route.RouteConfiguration{} })
			resources[resource.RouteType] = made
		default:
			err = fmt.Errorf("unknown type %q", name)
		}
		if err != nil {
			return err
		}
	}
	snapshot, err := cache.NewSnapshot(version, resources)
	if err != nil {
		return err
	}
	return c.cache.SetSnapshot(context.Background(), "all", snapshot)
}

func (c *controlPlane) obey(words []string) (string, error) {
	number := func() (int, error) {
		if len(words) != 2 {
			return 0, fmt.Errorf("want one number")
		}
		return strconv.Atoi(words[1])
	}
	if len(words) == 0 {
		return "", fmt.Errorf("want a command")
	}
	switch words[0] {
	case "set":
		if len(words) != 3 {
			return "", fmt.Errorf("want VERSION FILE")
		}
		return "ok", c.set(words[1], words[2])
	case "cut":
		c.mutex.Lock()
		defer c.mutex.Unlock()
		for _, cancel := range c.cancels {
			cancel()
		}
		return "ok", nil
	case "cut-after":
		n, err := number()
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.cutAfter = n
		return "ok", err
	case "delay":
		n, err := number()
		c.mutex.Lock()
		defer c.mutex.Unlock()
		c.delay = time.Duration(n) * time.Millisecond
		return "ok", err
	case "state":
		c.mutex.Lock()
		defer c.mutex.Unlock()
		text, err := json.Marshal(c.state)
		return string(text), err
	}
	return "", fmt.Errorf("unknown command")
}

func run(address string) error {
	c := &controlPlane{cancels: map[int]context.CancelFunc{}}
	c.cache = cache.NewSnapshotCache(false, oneNode{}, nil)
	c.StreamRequestFunc = func(_ int64, request *discovery.DiscoveryRequest) error {
		c.heard(request)
		return nil
	}
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	served := grpc.NewServer(grpc.StreamInterceptor(c.intercept))
	discovery.RegisterAggregatedDiscoveryServiceServer(
		served, server.NewServer(context.Background(), c.cache, c))
	go func() {
		if err := served.Serve(socket); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	fmt.Println(socket.Addr())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		answer, err := c.obey(strings.Fields(lines.Text()))
		if err != nil {
			answer = "error: " + err.Error()
		}
		fmt.Println(answer)
	}
	return lines.Err()
}

func main() {
	address := "127.0.0.1:0"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	if err := run(address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
