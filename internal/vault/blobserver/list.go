package blobserver

import (
	"encoding/base64"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
)

// maxPage is how many entries one page of a listing has at most, as in Azure.
const maxPage = 5000

// listXML is the answer of both listings.
type listXML struct {
	XMLName    xml.Name       `xml:"EnumerationResults"`
	Endpoint   string         `xml:"ServiceEndpoint,attr"`
	Container  string         `xml:"ContainerName,attr,omitempty"`
	Prefix     string         `xml:"Prefix,omitempty"`
	Marker     string         `xml:"Marker,omitempty"`
	MaxResults int            `xml:"MaxResults,omitempty"`
	Delimiter  string         `xml:"Delimiter,omitempty"`
	Containers *containersXML `xml:"Containers"`
	Blobs      *blobsXML      `xml:"Blobs"`
	NextMarker string
}

type containersXML struct {
	Container []containerXML
}

type containerXML struct {
	Name       string
	Properties containerPropertiesXML
	Metadata   metadataXML `xml:",omitempty"`
}

type containerPropertiesXML struct {
	LastModified string `xml:"Last-Modified"`
	Etag         string
	LeaseStatus  string
	LeaseState   string
}

type blobsXML struct {
	Blob       []blobXML
	BlobPrefix []prefixXML
}

type prefixXML struct{ Name string }

type blobXML struct {
	Name       string
	Properties blobPropertiesXML
	Metadata   metadataXML `xml:",omitempty"`
}

type blobPropertiesXML struct {
	CreationTime  string `xml:"Creation-Time"`
	LastModified  string `xml:"Last-Modified"`
	Etag          string
	ContentLength int64  `xml:"Content-Length"`
	ContentType   string `xml:"Content-Type"`
	ContentMD5    string `xml:"Content-MD5"`
	BlobType      string
	LeaseStatus   string
	LeaseState    string
}

// metadataXML writes a map as elements.
type metadataXML map[string]string

// MarshalXML implements xml.Marshaler.
func (m metadataXML) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if len(m) == 0 {
		return nil
	}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	for _, k := range names {
		if err := e.EncodeElement(m[k], xml.StartElement{Name: xml.Name{Local: k}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// page reads what both listings share. The marker is the first name of the next page, in base64url.
func (c *call) page() (answer listXML, from string, limit int, err error) {
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	answer.Endpoint = scheme + "://" + c.r.Host + "/"
	if c.pathStyle {
		answer.Endpoint += c.account + "/"
	}
	answer.Prefix, answer.Marker, answer.Delimiter = c.q("prefix"), c.q("marker"), c.q("delimiter")
	limit = maxPage
	if v := c.q("maxresults"); v != "" {
		if limit, err = strconv.Atoi(v); err != nil || limit < 1 {
			return answer, "", 0, errQuery("maxresults")
		}
		answer.MaxResults, limit = limit, min(limit, maxPage)
	}
	raw, err := base64.RawURLEncoding.DecodeString(answer.Marker)
	if err != nil {
		return answer, "", 0, errQuery("marker")
	}
	for what := range strings.SplitSeq(c.q("include"), ",") {
		if what == "uncommittedblobs" {
			return answer, "", 0, errQuery("include")
		}
	}
	return answer, max(string(raw), answer.Prefix), limit, nil
}

func nextMarker(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func (c *call) includes(what string) bool {
	return slices.Contains(strings.Split(c.q("include"), ","), what)
}

func (c *call) listContainers() error {
	answer, from, limit, err := c.page()
	if err != nil {
		return err
	}
	names, err := c.s.disk.names(c.account)
	if err != nil {
		return err
	}
	answer.Containers = &containersXML{}
	for _, name := range names {
		if name < from || !strings.HasPrefix(name, answer.Prefix) {
			continue
		}
		if len(answer.Containers.Container) == limit {
			answer.NextMarker = nextMarker(name)
			break
		}
		box, err := c.s.disk.get(c.account, name)
		if err != nil {
			continue // deleted since the names were read
		}
		box.mu.RLock()
		x := containerXML{Name: name, Properties: containerPropertiesXML{httpDate(box.rec.Modified), box.rec.ETag, "unlocked", "available"}}
		if c.includes("metadata") {
			x.Metadata = box.rec.Metadata
		}
		box.mu.RUnlock()
		answer.Containers.Container = append(answer.Containers.Container, x)
	}
	return c.xml(answer)
}

func (c *call) listBlobs() error {
	answer, from, limit, err := c.page()
	if err != nil {
		return err
	}
	box, err := c.s.disk.get(c.account, c.container)
	if err != nil {
		return err
	}
	answer.Container = c.container
	answer.Blobs = &blobsXML{}
	if err := c.fillPage(box, &answer, from, limit); err != nil {
		return err
	}
	return c.xml(answer) // without the lock, as the client may be slow
}

func (c *call) fillPage(box *container, answer *listXML, from string, limit int) error {
	box.mu.RLock()
	defer box.mu.RUnlock()
	if box.gone {
		return errContainerNotFound()
	}
	at, _ := slices.BinarySearch(box.names, from)
	for count := 0; at < len(box.names) && strings.HasPrefix(box.names[at], answer.Prefix); count++ {
		name := box.names[at]
		if count == limit {
			answer.NextMarker = nextMarker(name)
			break
		}
		if group, ok := grouped(name, answer.Prefix, answer.Delimiter); ok {
			answer.Blobs.BlobPrefix = append(answer.Blobs.BlobPrefix, prefixXML{group})
			for at < len(box.names) && strings.HasPrefix(box.names[at], group) {
				at++
			}
			continue
		}
		answer.Blobs.Blob = append(answer.Blobs.Blob, c.describe(box.blobs[name]))
		at++
	}
	return nil
}

// grouped tells which common prefix a name falls under.
func grouped(name, prefix, delimiter string) (string, bool) {
	if delimiter == "" {
		return "", false
	}
	head, _, ok := strings.Cut(name[len(prefix):], delimiter)
	return prefix + head + delimiter, ok
}

func (c *call) describe(r *record) blobXML {
	x := blobXML{Name: r.Name, Properties: blobPropertiesXML{
		CreationTime: httpDate(r.Created), LastModified: httpDate(r.Modified), Etag: r.ETag, ContentLength: r.Size,
		ContentType: r.Headers["Content-Type"], ContentMD5: base64.StdEncoding.EncodeToString(r.MD5),
		BlobType: "BlockBlob", LeaseStatus: "unlocked", LeaseState: "available",
	}}
	if c.includes("metadata") {
		x.Metadata = r.Metadata
	}
	return x
}
