package gateway

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"tandem"
)

// TracesConfig says where spans go.
type TracesConfig struct {
	// Endpoint takes OTLP over HTTP, for example "http://collector:4318"; empty: what OTEL_EXPORTER_OTLP_ENDPOINT says.
	Endpoint string `json:"endpoint,omitempty"`
	// Sample is the share of requests that begin a trace, 0 to 1; 0: what OTEL_TRACES_SAMPLER says, or every one. A
	// request that carries a trace is traced
	// where its sender does.
	Sample float64 `json:"sample,omitempty"`
}

// OpenTraces makes a provider of spans that exports them in batches. Shutdown sends what waits.
func OpenTraces(ctx context.Context, c TracesConfig, node string, region tandem.Region) (*sdktrace.TracerProvider, error) {
	var options []otlptracehttp.Option
	if c.Endpoint != "" {
		options = append(options, otlptracehttp.WithEndpointURL(c.Endpoint+"/v1/traces"))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, &tandem.Error{Op: "open traces to", Subject: c.Endpoint, Kind: tandem.Invalid, Err: err, Remedy: "give the address of an OTLP collector, as http://collector:4318"}
	}
	about, err := resource.New(ctx, resource.WithFromEnv(), resource.WithAttributes(attribute.String("service.name", "tandem-gateway"), attribute.String("service.instance.id", node), attribute.String("cloud.region", string(region))))
	if err != nil {
		return nil, fmt.Errorf("describe this node for traces: %w", err)
	}
	made := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)}
	if c.Sample > 0 {
		made = append(made, sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.Sample))))
	}
	return sdktrace.NewTracerProvider(made...), nil
}
