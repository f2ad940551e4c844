package gateway

import (
	"context"
	"fmt"
	"strings"

	"tandem/internal/apim"
	"tandem/internal/gateway/sink"
	"tandem/internal/policy"
)

// logger is one of the service's loggers.
type logger struct {
	kind string     // azureEventHub, applicationInsights or azureMonitor, lower case
	sink *sink.Sink // nil: of azureMonitor, which is the gateway's own log, or while documents are compiled dry
	key  string     // the instrumentation key
}

// The kinds of logger.
const (
	loggerEventHub = "azureeventhub"
	loggerInsights = "applicationinsights"
	loggerMonitor  = "azuremonitor"
)

// loggers are the service's; it implements policy.Loggers.
type loggers struct {
	byID  map[string]*logger
	print string
	used  map[string]*sink.Sink // by what they were made of
}

// Has implements policy.Loggers.
func (l *loggers) Has(id string) bool {
	found := l.byID[strings.ToLower(id)]
	return found != nil && found.kind == loggerEventHub
}

// Log implements policy.Loggers.
func (l *loggers) Log(_ context.Context, id string, e policy.LogEvent) error {
	found := l.byID[strings.ToLower(id)]
	if found == nil || found.sink == nil {
		return fmt.Errorf("there is no event hub's logger %s", id)
	}
	found.sink.Add(sink.Event{Body: []byte(e.Data), PartitionKey: e.PartitionKey, PartitionID: e.PartitionID})
	return nil
}

// compileLoggers compiles the service's loggers.
func (c *compiler) compileLoggers(sh *shared) *loggers {
	out := &loggers{byID: map[string]*logger{}, used: map[string]*sink.Sink{}}
	var names []string
	for _, d := range c.source.list("loggers") {
		l := &logger{kind: strings.ToLower(d.String("loggerType"))}
		if err := c.openLogger(sh, out, d, l); err != nil {
			sh.problem(d.Key, false, "%v; what is logged to it is lost", err)
			continue
		}
		out.byID[strings.ToLower(d.Name())] = l
		names = append(names, d.Name(), l.kind)
	}
	out.print = digest(names...)
	return out
}

func (c *compiler) openLogger(sh *shared, all *loggers, d *apim.Document, l *logger) error {
	if l.kind == loggerMonitor {
		return nil
	}
	credential := c.loggerCredentials(sh, d)
	connection := credential["connectionstring"]
	if connection == "" && l.kind == loggerInsights {
		connection = credential["instrumentationkey"]
	}
	if connection == "" {
		return fmt.Errorf("it has no connection string; loggers that authenticate by managed identity are not supported, give its connection string")
	}
	client, made := c.host.Client, l.kind+"\x00"+connection+"\x00"+credential["name"]
	var sender sink.Sender
	switch l.kind {
	case loggerInsights:
		s, err := sink.NewInsights(client, connection)
		if err != nil {
			return err
		}
		sender, l.key = s, s.Key
	case loggerEventHub:
		s, err := sink.NewEventHub(client, c.host.Clock, connection, credential["name"])
		if err != nil {
			return err
		}
		sender = s
	default:
		return fmt.Errorf("loggers of the type %s are not known", l.kind)
	}
	if c.sinks != nil {
		l.sink = c.sinks(made, sender, d.Bool("isBuffered", true))
		all.used[made] = l.sink
	}
	return nil
}

// loggerCredentials are a logger's, with names in lower case and named values in place.
func (c *compiler) loggerCredentials(sh *shared, d *apim.Document) map[string]string {
	members, _ := d.Value("credentials").(map[string]any)
	if d.Sealed["credentials"] != "" {
		v, err := d.OpenSecret(c.sealer, "credentials")
		if err != nil {
			sh.problem(d.Key, false, "%v", err)
		}
		members, _ = v.(map[string]any)
	}
	out := map[string]string{}
	for name, v := range members {
		if text, ok := v.(string); ok {
			out[strings.ToLower(name)] = sh.resolve(text)
		}
	}
	return out
}
