package remote

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"tandem"
)

// How long the server may take: a request waits for it.
const (
	dialTimeout = time.Second
	callTimeout = 250 * time.Millisecond
)

// ParseConnection reads a connection string as API Management and StackExchange.Redis write it:
// "host:6380,password=…,ssl=True,abortConnect=False". Several addresses are those of a cluster. redis:// and rediss:// URLs
// are read too.
func ParseConnection(text string) (*redis.UniversalOptions, error) {
	if strings.HasPrefix(text, "redis://") || strings.HasPrefix(text, "rediss://") {
		one, err := redis.ParseURL(text)
		if err != nil {
			return nil, bad("it is not a redis URL") // the cause may hold the password
		}
		return limited(&redis.UniversalOptions{Addrs: []string{one.Addr}, Username: one.Username, Password: one.Password, DB: one.DB, TLSConfig: one.TLSConfig}), nil
	}
	o := &redis.UniversalOptions{}
	secure, name := false, ""
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		option, value, found := strings.Cut(part, "=")
		if part == "" {
			continue
		}
		if !found {
			o.Addrs = append(o.Addrs, part)
			continue
		}
		switch strings.ToLower(strings.TrimSpace(option)) {
		case "password":
			o.Password = value
		case "user", "username":
			o.Username = value
		case "ssl":
			secure = strings.EqualFold(value, "true")
		case "sslhost":
			name = value
		case "defaultdatabase":
			db, err := strconv.Atoi(value)
			if err != nil || db < 0 {
				return nil, bad("defaultDatabase is not a number")
			}
			o.DB = db
		case "servicename":
			o.MasterName = value
		case "abortconnect", "connecttimeout", "synctimeout", "asynctimeout", "connectretry", "keepalive", "allowadmin", "name", "channelprefix", "resolvedns", "responsetimeout", "tiebreaker", "version", "configchannel", "configcheckseconds", "proxy", "protocol", "sslprotocols", "checkcertificaterevocation", "highintegrity", "setlib", "heartbeatconsistencychecks", "heartbeatinterval":
			// They tune StackExchange.Redis.
		default:
			return nil, bad("the option " + option + " is not known")
		}
	}
	if len(o.Addrs) == 0 {
		return nil, bad("it names no server")
	}
	for i, address := range o.Addrs {
		if _, _, err := net.SplitHostPort(address); err != nil {
			port := "6379"
			if secure {
				port = "6380"
			}
			o.Addrs[i] = net.JoinHostPort(strings.Trim(address, "[]"), port)
		}
	}
	if secure {
		if name == "" {
			name, _, _ = net.SplitHostPort(o.Addrs[0])
		}
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	}
	return limited(o), nil
}

func limited(o *redis.UniversalOptions) *redis.UniversalOptions {
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, callTimeout, callTimeout, callTimeout
	o.MaxRetries = 1
	o.ContextTimeoutEnabled = true
	return o
}

func bad(why string) error {
	return &tandem.Error{Op: "read the connection string of an external cache", Kind: tandem.Invalid,
		Remedy: why + "; write host:port,password=...,ssl=True"}
}
