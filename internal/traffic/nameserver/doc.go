// Package nameserver is an authoritative DNS server for traffic profiles. What a name answers is compiled to wire form
// when health changes, never when a question comes: the query path reads an immutable tree behind one atomic pointer,
// takes no lock and allocates nothing (law 8: it needs no control plane).
//
// Sources: RFC 1035, 2308 (negative answers), 3597 (unknown types), 4343 (case), 5001 (NSID), 6891 (EDNS), 7766 (TCP),
// 7871 (client subnet), 7873 and 9018 (cookies), 8482 (minimal ANY), 9619 (one question), 9824 (compact denial).
package nameserver
