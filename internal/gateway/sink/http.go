package sink

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tandem"
	"tandem/internal/exchange"
	"tandem/internal/policy"
)

const sendTimeout = 15 * time.Second

// post sends a body and looks at the answer's status.
func post(ctx context.Context, c policy.Client, to exchange.URL, body []byte, header exchange.Header) error {
	r := &exchange.Request{Method: "POST", Proto: "HTTP/1.1", URL: to, Message: exchange.Message{Header: header, Body: exchange.Bytes(body)}}
	answer, err := c.Do(ctx, r, policy.SendOptions{Timeout: sendTimeout})
	if err != nil {
		return fmt.Errorf("send to %s: %w", to.Host, err)
	}
	if _, err := answer.Body.Bytes(1 << 20); err != nil {
		_ = answer.Body.Close() // the status says what matters
	}
	if answer.Status >= 300 {
		return fmt.Errorf("send to %s: it answered %d", to.Host, answer.Status)
	}
	return nil
}

// settings reads "a=b;c=d" with names in lower case.
func settings(connection string) map[string]string {
	out := map[string]string{}
	for part := range strings.SplitSeq(connection, ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			out[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
	}
	return out
}

func address(text, path string) (exchange.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return exchange.URL{}, fmt.Errorf("%q is not an address", text)
	}
	scheme := "https"
	if u.Scheme == "http" {
		scheme = "http"
	}
	return exchange.URL{Scheme: scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/") + path}, nil
}

// Insights sends to Application Insights (its ingestion endpoint's "track" call). Bodies of events are envelopes.
type Insights struct {
	Key    string // the instrumentation key, which envelopes carry
	client policy.Client
	to     exchange.URL
}

// defaultIngestion is where Application Insights takes events that name no endpoint.
const defaultIngestion = "https://dc.services.visualstudio.com"

// NewInsights reads a connection string, or an instrumentation key alone.
func NewInsights(c policy.Client, connection string) (*Insights, error) {
	s := settings(connection)
	if !strings.Contains(connection, "=") {
		s["instrumentationkey"] = connection
	}
	endpoint := s["ingestionendpoint"]
	if endpoint == "" {
		endpoint = defaultIngestion
	}
	to, err := address(endpoint, "/v2.1/track")
	if err != nil {
		return nil, err
	}
	if s["instrumentationkey"] == "" {
		return nil, fmt.Errorf("the connection string of Application Insights has no InstrumentationKey")
	}
	return &Insights{Key: s["instrumentationkey"], client: c, to: to}, nil
}

// Send implements Sender.
func (i *Insights) Send(ctx context.Context, batch []Event) error {
	body := []byte{'['}
	for n, e := range batch {
		if n > 0 {
			body = append(body, ',')
		}
		body = append(body, e.Body...)
	}
	return post(ctx, i.client, i.to, append(body, ']'), exchange.Header{{Name: "Content-Type", Value: "application/json"}})
}

// EventHub sends to an event hub by its HTTPS interface, with a signature made of the shared key.
type EventHub struct {
	client  policy.Client
	clock   tandem.Clock
	base    exchange.URL // of the hub
	keyName string
	key     string
}

// NewEventHub reads a connection string: "Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…". hub names
// the hub where the string does not.
func NewEventHub(c policy.Client, clock tandem.Clock, connection, hub string) (*EventHub, error) {
	s := settings(connection)
	if hub == "" {
		hub = s["entitypath"]
	}
	if s["sharedaccesskeyname"] == "" || s["sharedaccesskey"] == "" || hub == "" {
		return nil, fmt.Errorf("the connection string of an event hub needs Endpoint, SharedAccessKeyName and SharedAccessKey, and the hub's name beside it")
	}
	base, err := address(s["endpoint"], "/"+url.PathEscape(hub))
	if err != nil {
		return nil, err
	}
	return &EventHub{client: c, clock: clock, base: base, keyName: s["sharedaccesskeyname"], key: s["sharedaccesskey"]}, nil
}

// tokenLife is how long a signature is good for.
const tokenLife = 10 * time.Minute

// token signs the hub's address (a "shared access signature").
func (h *EventHub) token() string {
	resource := url.QueryEscape(strings.ToLower(h.base.Scheme + "://" + h.base.Host + h.base.Path))
	until := strconv.FormatInt(h.clock.Now().Add(tokenLife).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(h.key))
	mac.Write([]byte(resource + "\n" + until))
	return "SharedAccessSignature sr=" + resource + "&sig=" + url.QueryEscape(base64.StdEncoding.EncodeToString(mac.Sum(nil))) + "&se=" + until + "&skn=" + url.QueryEscape(h.keyName)
}

// Send implements Sender: events of one partition go as one batch.
func (h *EventHub) Send(ctx context.Context, batch []Event) error {
	type message struct {
		Body   string
		Broker *brokerProperties `json:"BrokerProperties,omitempty"`
	}
	by, order := map[string][]message{}, []string(nil)
	for _, e := range batch {
		m := message{Body: string(e.Body)}
		if e.PartitionKey != "" {
			m.Broker = &brokerProperties{e.PartitionKey}
		}
		if by[e.PartitionID] == nil {
			order = append(order, e.PartitionID)
		}
		by[e.PartitionID] = append(by[e.PartitionID], m)
	}
	header := exchange.Header{{Name: "Authorization", Value: h.token()}, {Name: "Content-Type", Value: "application/vnd.microsoft.servicebus.json"}}
	for _, partition := range order {
		body, err := json.Marshal(by[partition])
		if err != nil {
			return err
		}
		to := h.base
		if partition != "" {
			to.Path += "/partitions/" + url.PathEscape(partition)
		}
		to.Path += "/messages"
		if err := post(ctx, h.client, to, body, header); err != nil {
			return err
		}
	}
	return nil
}

type brokerProperties struct{ PartitionKey string }
