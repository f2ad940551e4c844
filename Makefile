# Tandem: `make run` rehearses a disaster, `make test` runs all tests.
GO ?= go
ARGS ?=

.PHONY: run test test-go test-sites deb test-deploy lint bench soak build clean

# --keep stays open until Ctrl-C; with ARGS=--json the story is told once and the command ends.
run:
	@$(GO) run ./cmd/tandem rehearse $(if $(findstring --json,$(ARGS)),,--keep) $(ARGS)

build:
	$(GO) build -trimpath -ldflags="-s -w" -o bin/tandem ./cmd/tandem

# All tests: with the race detector, which explores a smaller model of the failover, so that is run without it too; then the
# rehearsal; then real clients (JavaScript and Go SDKs, az, dig), each skipped with a message where it cannot be had.
test: lint
	$(GO) test -race -timeout 30m ./...
	$(GO) test ./internal/failover
	$(GO) run ./cmd/tandem rehearse --json
	test/clients/run

# The tests that need only Go.
test-go:
	$(GO) test ./...

# Whole sites in network namespaces, joined by a relay with delay, loss and cuts: needs root and /dev/net/tun, about three minutes.
test-sites:
	TANDEM_SITES=1 $(GO) test -v -count 1 -timeout 20m ./test/sites/...

lint:
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...

# Benchmarks print; they judge nothing. The comparisons need nginx, haproxy and gdnsd (Debian's packages) and leave out what
# is not installed.
bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(GO) build -o bin/product ./bench/gateway/product
	$(GO) run ./bench/gateway -tandem "$(CURDIR)/bin/product -listen {listen} -tls {tls} -backend {backend} -keys {keys} -cert {cert} -key {key}"
	$(GO) run ./bench/dns load
	$(GO) run ./bench/dns failover

# The Debian package in bin/, by nfpm: binary, unit, manual pages, completions.
VERSION ?= 0.1.0
NFPM ?= $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4
deb: build
	@rm -rf bin/package && mkdir -p bin/package
	bin/tandem man bin/package/man
	bin/tandem completion bash > bin/package/tandem.bash
	bin/tandem completion zsh > bin/package/_tandem
	bin/tandem completion fish > bin/package/tandem.fish
	ARCH=$$($(GO) env GOARCH) VERSION=$(VERSION) $(NFPM) package --config deploy/deb/nfpm.yaml --packager deb --target bin/

# The package is built and installed below a folder of its own, and what it installed runs.
test-deploy: deb
	$(GO) test -count 1 ./test/deploy -args -package "$(CURDIR)/bin/tandem_$(VERSION)_$$($(GO) env GOARCH).deb"

# Ten minutes at 5,000 requests/s on loopback while the configuration changes every second and the backend restarts; fails
# where a request fails, or goroutines, memory or open files grow. ARGS="-for 1m" is shorter.
soak:
	$(GO) run ./bench/soak $(ARGS)

clean:
	rm -rf bin
