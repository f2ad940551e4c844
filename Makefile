# Tandem: `make run` rehearses a disaster, `make test` runs all tests.
GO ?= go
ARGS ?=

.PHONY: run test test-go lint bench build clean

# --keep stays open until Ctrl-C; with ARGS=--json the story is told once and the command ends.
run:
	@$(GO) run ./cmd/tandem rehearse $(if $(findstring --json,$(ARGS)),,--keep) $(ARGS)

build:
	$(GO) build -trimpath -ldflags="-s -w" -o bin/tandem ./cmd/tandem

# All tests: with the race detector, which explores a smaller model of the failover, so that is run without it too; then the
# rehearsal.
test: lint
	$(GO) test -race -timeout 30m ./...
	$(GO) test ./internal/failover
	$(GO) run ./cmd/tandem rehearse --json

# The tests that need only Go.
test-go:
	$(GO) test ./...

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

clean:
	rm -rf bin
