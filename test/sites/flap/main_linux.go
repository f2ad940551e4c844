package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"tandem"
	"tandem/test/sites/lab"
)

func main() {
	length := flag.Duration("for", time.Minute, "how long each phase takes")
	docs := flag.String("docs", "", "write the table as a page of documentation to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command(ctx, *length, *docs); err != nil {
		fmt.Fprintln(os.Stderr, "flap:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, length time.Duration, docs string) (err error) {
	dir, err := os.MkdirTemp("", "tandem-flap-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program, err := lab.Program(ctx, dir, "tandem/cmd/tandem")
	if err != nil {
		return err
	}
	l, err := lab.Open(lab.Config{Sites: siteNames(), Dir: dir, Seed: 1, Clock: tandem.SystemClock{}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	b, end, err := newBench(ctx, l, program)
	if err != nil {
		return err
	}
	rows, err := b.run(ctx, length)
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	table(os.Stdout, rows)
	for _, r := range rows {
		for _, note := range r.Notes {
			fmt.Printf("%s, %s, after %s\n", r.Phase, r.Trial, note)
		}
	}
	if docs != "" {
		if err := os.WriteFile(docs, []byte(document(rows, length)), 0o644); err != nil {
			return err
		}
	}
	if n := wrongMoves(rows); n > 0 {
		return fmt.Errorf("%d moves were wrong", n)
	}
	return nil
}

func wrongMoves(rows []row) (n int) {
	for _, r := range rows {
		n += r.Wrong
	}
	return n
}

func table(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| what is wrong | probes answered | of them 503 | moves | wrong moves | clients at the second endpoint |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s: %s | %d | %d | %d | %d | %.0f %% of %.0f s |\n", r.Phase, r.What, r.Probes, r.Failed, r.Moves, r.Wrong, 100*r.Elsewhere.Seconds()/max(r.Lasted.Seconds(), 1), r.Lasted.Seconds())
	}
}

func document(rows []row, length time.Duration) string {
	var s strings.Builder
	fmt.Fprintf(&s, `# Endpoints that fail now and then

Written by `+"`go run ./test/sites/flap -for %s -docs docs/flapping.md`"+`. A real node probes over HTTP every %d ms, with a timeout of
%d ms and %d strikes, through the laboratory's relay ([lab.md](lab.md)): 20 to 25 ms each way. Each row is a profile of
its own, whose second endpoint is always well. A move is another DNS answer than the one before; it is wrong when it leads to an
endpoint that fails at least as often as the one that is left, but for the way back to the first once that is well.

`, length, interval, timeout, tolerated+1)
	table(&s, rows)
	return s.String()
}
