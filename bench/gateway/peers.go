//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// lookTool finds a program; Debian keeps daemons in /usr/sbin.
func lookTool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	if path := filepath.Join("/usr/sbin", name); fileExists(path) {
		return path
	}
	return ""
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// nginxCommand writes nginx's configuration; workers is 1 pinned, 2 for both cores.
func nginxCommand(dir, listen, tlsListen, backend string, workers int) ([]string, error) {
	var keys strings.Builder
	for i := range keyCount {
		fmt.Fprintf(&keys, "%s subscription-%d;\n", subscriptionKey(i), i)
	}
	conf := fmt.Sprintf(`
daemon off; user root; worker_processes %d; pid %[2]s/nginx.pid; error_log %[2]s/nginx.log warn;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; map_hash_max_size 131072; map_hash_bucket_size 128;
  client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/f; uwsgi_temp_path %[2]s/u; scgi_temp_path %[2]s/s;
  map $http_ocp_apim_subscription_key $subscription { default ""; include %[2]s/keys.nginx; }
  limit_req_zone $subscription zone=calls:16m rate=100000r/s;
  upstream backend { server %[3]s; keepalive 128; keepalive_requests 100000000; }
  server {
    listen %[4]s backlog=1024; listen %[5]s ssl http2 backlog=1024;
    ssl_certificate %[2]s/cert.pem; ssl_certificate_key %[2]s/key.pem;
    location / {
      if ($subscription = "") { return 401; }
      limit_req zone=calls burst=100000 nodelay;
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Subscription $subscription; proxy_set_header Ocp-Apim-Subscription-Key "";
      add_header X-Gateway nginx;
      proxy_pass http://backend;
    }
  }
}
`, workers, dir, backend, listen, tlsListen)
	if err := os.WriteFile(filepath.Join(dir, "keys.nginx"), []byte(keys.String()), 0o644); err != nil {
		return nil, fmt.Errorf("write keys for nginx: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		return nil, fmt.Errorf("write configuration of nginx: %w", err)
	}
	return []string{lookTool("nginx"), "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "nginx.log")}, nil
}

// haproxyCommand writes HAProxy's configuration; threads is 1 pinned, 2 for both cores.
func haproxyCommand(dir, listen, tlsListen, backend string, threads int) ([]string, error) {
	var keys strings.Builder
	for i := range keyCount {
		fmt.Fprintf(&keys, "%s subscription-%d\n", subscriptionKey(i), i)
	}
	conf := fmt.Sprintf(`
global
  maxconn 8000
  nbthread %d
defaults
  mode http
  timeout client 120s
  timeout server 120s
  timeout connect 5s
  http-reuse always
  option http-keep-alive
frontend f
  bind %s
  bind %s ssl crt %[4]s/both.pem alpn h2,http/1.1
  http-request set-var(txn.sub) req.hdr(Ocp-Apim-Subscription-Key),map_str(%[4]s/keys.haproxy)
  http-request deny deny_status 401 unless { var(txn.sub) -m found }
  stick-table type string len 40 size 20k expire 60s store http_req_rate(1s)
  http-request track-sc0 var(txn.sub)
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 100000 }
  http-request set-header X-Subscription %%[var(txn.sub)]
  http-request del-header Ocp-Apim-Subscription-Key
  http-response set-header X-Gateway haproxy
  default_backend b
backend b
  server s %[5]s pool-max-conn -1
`, threads, listen, tlsListen, dir, backend)
	if err := os.WriteFile(filepath.Join(dir, "keys.haproxy"), []byte(keys.String()), 0o644); err != nil {
		return nil, fmt.Errorf("write keys for HAProxy: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "haproxy.conf"), []byte(conf), 0o644); err != nil {
		return nil, fmt.Errorf("write configuration of HAProxy: %w", err)
	}
	return []string{lookTool("haproxy"), "-db", "-f", filepath.Join(dir, "haproxy.conf")}, nil
}
