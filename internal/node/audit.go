package node

import (
	"context"
	"iter"
	"net/http"
	"time"

	"tandem/internal/arm/auditlog"
	"tandem/internal/resources"
)

// auditPath serves this node's audit log to the others.
const auditPath = "/tandem/v1/audit"

// openAudit opens the node's audit log, in its folder. name tells the nodes of the deployment apart.
func (n *Node) openAudit(name string) (closer func() error, err error) {
	log, err := auditlog.Open(auditlog.Config{Dir: n.path("audit"), Node: name, Clock: n.Clock, Log: n.Log})
	if err != nil {
		return nil, err
	}
	return log.Close, n.activity.keepIn(log)
}

func (n *Node) serveAudit(w http.ResponseWriter, r *http.Request) {
	n.activity.log.Handler().ServeHTTP(w, r)
}

// auditOfAll reads the audit logs of this node and of all others as one.
func (n *Node) auditOfAll(ctx context.Context, from, to time.Time) iter.Seq2[auditlog.Entry, error] {
	readers := []auditlog.Reader{n.activity.log.Entries}
	client := &http.Client{Transport: n.outbound}
	for _, p := range n.Peers {
		readers = append(readers, auditlog.Optional(string(p.Region), auditlog.Remote(client, p.Internal+auditPath)))
	}
	return auditlog.Merge(readers...)(ctx, from, to)
}

// activityLog is Azure Monitor's Activity Log of the deployment.
func (n *Node) activityLog() *resources.ActivityLog { return resources.NewActivityLog(n.auditOfAll) }
