//go:build linux

package main

import (
	"fmt"
	"slices"
)

// report prints one mode's table. Ratios are of the least CPU time, and of the medians.
func report(mode string, gateways []*gateway, samples map[string][]sample) {
	fmt.Printf("\n%-8s %9s %9s %9s %9s %10s %8s %8s %7s\n", mode, "us min", "us med", "x nginx", "med x", "req/s max", "p50 us", "p99 us", "RSS MB")
	least := func(name string) float64 {
		return extreme(samples[name], func(s sample) float64 { return s.micros }, slices.Min)
	}
	middle := func(name string) float64 {
		return extreme(samples[name], func(s sample) float64 { return s.micros }, median)
	}
	for _, g := range gateways {
		list := samples[g.name]
		ratio, mid := "-", "-"
		if len(samples["nginx"]) > 0 {
			ratio = fmt.Sprintf("%.2f", least(g.name)/least("nginx"))
			mid = fmt.Sprintf("%.2f", middle(g.name)/middle("nginx"))
		}
		fmt.Printf("%-8s %9.1f %9.1f %9s %9s %10.0f %8.0f %8.0f %7.1f\n", g.name, least(g.name), middle(g.name), ratio, mid,
			extreme(list, func(s sample) float64 { return s.perSec }, slices.Max),
			extreme(list, func(s sample) float64 { return s.p50 }, slices.Min),
			extreme(list, func(s sample) float64 { return s.p99 }, slices.Min),
			extreme(list, func(s sample) float64 { return float64(s.memory) / 1e6 }, slices.Max))
	}
}

func extreme(list []sample, of func(sample) float64, pick func([]float64) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	return pick(values)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
