// Package blobserver is the embedded Blob endpoint: the part of the Azure Blob service's REST interface that backups need,
// over a folder on disk, for sites without an Azure storage account. The official SDKs talk to it as to Azure.
//
// Served: containers (create, properties, list, delete), block blobs (put whole, put block, put block list, get with
// ranges, properties, metadata, delete, list with prefix, delimiter and marker), conditional headers, SharedKey, account
// and service SAS, and bearer tokens by an injected authoriser. Any x-ms-version is taken. Leases, snapshots, versions,
// copies, tags, append and page blobs are refused with 501.
//
// A write is on disk before it is acknowledged: the data is synced, then the record that names it is renamed into place.
package blobserver
