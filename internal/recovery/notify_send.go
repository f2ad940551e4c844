package recovery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"tandem"
	"tandem/internal/keys"
)

// secretOf opens a sealed secret of a group.
func (c *Controller) secretOf(group, field, sealed string) (string, error) {
	if sealed == "" || !keys.Sealed(sealed) {
		return sealed, nil
	}
	if c.Sealer == nil {
		return "", &tandem.Error{Op: "open secret", Subject: field, Kind: tandem.Unsupported, Remedy: "run recovery on a node with the master key"}
	}
	plain, err := c.Sealer.Open(sealed, secretContext(group, field))
	return string(plain), err
}

// send delivers one notice. Errors hold no address of a webhook: it is a secret.
func (c *Controller) send(ctx context.Context, q queued) error {
	field := "notifications/" + q.to.Name
	if q.to.Kind == "mail" {
		password, err := c.secretOf(q.group, field+"/password", q.to.Password)
		if err != nil {
			return err
		}
		return sendMail(ctx, q.to, password, q.notice)
	}
	address, err := c.secretOf(q.group, field+"/url", q.to.URL)
	if err != nil {
		return err
	}
	line := q.notice.Title + "\n" + q.notice.Text
	var body any = q.notice
	switch q.to.Kind {
	case "slack": // api.slack.com/messaging/webhooks
		body = map[string]any{"text": line}
	case "teams": // learn.microsoft.com, "Create incoming webhooks with Workflows": an adaptive card in a message
		body = map[string]any{"type": "message", "attachments": []any{map[string]any{"contentType": "application/vnd.microsoft.card.adaptive",
			"content": map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
				"body": []any{map[string]any{"type": "TextBlock", "weight": "Bolder", "text": q.notice.Title, "wrap": true}, map[string]any{"type": "TextBlock", "text": q.notice.Text, "wrap": true}}}}}}
	}
	return c.postTo(ctx, address, body)
}

func (c *Controller) postTo(ctx context.Context, address string, body any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, notifyTimeout)
	defer done()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(raw))
	if err != nil {
		return errors.New("its address is no web address")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return hideAddress(err)
	}
	defer resp.Body.Close()                                      //nolint:errcheck // it was read
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection is used again
	if resp.StatusCode >= 300 {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

// hideAddress takes the address out of a client's error.
func hideAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func sendMail(ctx context.Context, n Notification, password string, notice Notice) error {
	m := mail.NewMsg()
	if err := errors.Join(m.From(n.From), m.To(n.To...)); err != nil {
		return err
	}
	m.Subject(notice.Title)
	m.SetBodyString(mail.TypeTextPlain, notice.Text+"\n\n"+notice.Group+"\n"+notice.Time.Format(time.RFC3339)+"\n")
	host, port, err := net.SplitHostPort(n.Server)
	if err != nil {
		return errors.New("its server is not host:port")
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return errors.New("its server's port is no number")
	}
	policy := map[string]mail.TLSPolicy{"opportunistic": mail.TLSOpportunistic, "none": mail.NoTLS}
	tls, ok := policy[n.TLS]
	if !ok {
		tls = mail.TLSMandatory
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(notifyTimeout), mail.WithTLSPolicy(tls)}
	if n.User != "" {
		options = append(options, mail.WithUsername(n.User), mail.WithPassword(password), mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return err
	}
	ctx, done := context.WithTimeout(ctx, notifyTimeout)
	defer done()
	return client.DialAndSendWithContext(ctx, m)
}

// beat calls the heartbeats of all groups, as long as this node leads and the shared store answers.
func (c *Controller) beat(ctx context.Context) {
	last := map[string]time.Duration{}
	for c.Clock.Sleep(ctx, time.Second) == nil {
		c.mu.Lock()
		var due []groupDoc
		now := tandem.Boottime(c.Clock)
		for p, r := range c.runners {
			g := r.look()
			h := g.group.Properties.Heartbeat
			if !g.loaded || h == nil || h.URL == "" {
				continue
			}
			if at, ok := last[p]; !ok || now-at >= h.Every.or(time.Minute) {
				last[p] = now
				due = append(due, g.group)
			}
		}
		c.mu.Unlock()
		for _, g := range due {
			address, err := c.secretOf(g.ID, "heartbeat/url", g.Properties.Heartbeat.URL)
			if err == nil {
				err = c.postTo(ctx, address, map[string]any{"group": g.ID})
			}
			if err != nil && ctx.Err() == nil {
				c.Log.Warn("the heartbeat was not sent", "group", g.ID, "error", err)
			}
		}
	}
}

func secretContext(group, field string) []byte { return keys.Context(normalID(group), field) }
