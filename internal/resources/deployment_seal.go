package resources

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"

	"tandem"
)

// maxDeploymentText bounds what a sealed text may open to, in bytes.
const maxDeploymentText = 64 << 20

// seal keeps the texts of a deployment, small and sealed.
func (r *Resources) seal(d *deployment, text deploymentText) error {
	sealed, err := r.sealJSON(d.key(), text)
	d.Sealed = sealed
	return err
}

func (r *Resources) unseal(d deployment) (text deploymentText, err error) {
	return text, r.openJSON(d.key(), d.Sealed, &text)
}

func (r *Resources) sealJSON(context string, v any) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(v); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return r.c.Sealer.Seal(b.Bytes(), []byte(context))
}

func (r *Resources) openJSON(context, sealed string, into any) error {
	bad := func(err error) error {
		return &tandem.Error{Op: "open sealed text of", Subject: context, Kind: tandem.Corrupt, Err: err, Remedy: "deploy again under this name"}
	}
	raw, err := r.c.Sealer.Open(sealed, []byte(context))
	if err != nil {
		return bad(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return bad(err)
	}
	if err := json.NewDecoder(io.LimitReader(z, maxDeploymentText)).Decode(into); err != nil {
		return bad(err)
	}
	return nil
}
