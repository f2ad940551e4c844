package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
)

//go:embed assets/app.css assets/app.js assets/htmx.js assets/sse.js assets/uplot.js assets/uplot.css
var assetFiles embed.FS

// asset is one embedded file. Its address carries its hash, so that browsers may keep it for ever.
type asset struct {
	body    []byte
	version string
}

func loadAssets() (map[string]asset, error) {
	all := map[string]asset{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		body, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(body)
		all[e.Name()] = asset{body, hex.EncodeToString(sum[:8])}
	}
	return all, nil
}

// assetURL is the address of an embedded file.
func (c *Console) assetURL(name string) string {
	return "/assets/" + c.assets[name].version + "/" + name
}

func (c *Console) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := c.assets[r.PathValue("name")]
	if !ok || a.version != r.PathValue("version") {
		c.notFound(w, r)
		return
	}
	kind := "text/css; charset=utf-8"
	if strings.HasSuffix(r.PathValue("name"), ".js") {
		kind = "text/javascript; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body) // the browser went away; there is nobody to tell
}
