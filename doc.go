// Package tandem holds the nouns of Tandem, the disaster recovery for API gateways: resource ids, revisions,
// generations, epochs, regions, the clock and the kinds of error. Every other package builds on these words.
// It imports only the standard library; a reader starts here and goes on to ARCHITECTURE.md.
//
// # Laws
//
// The product keeps eleven laws; code and tests quote them by number.
//
//  1. An acknowledged management write survives kill -9 and power loss.
//  2. A request is served by one generation from its first byte to its last.
//  3. A restore is all or nothing: the gateway serves the old generation or the new one, never a mix, never neither;
//     no write acknowledged meanwhile is lost (writes answer 409 ServiceLocked from staging to swap).
//  4. At most one Tandem service of a recovery group accepts management writes: the holder of the current epoch.
//  5. A standby's management plane is promoted only when a bound on its lag is known and within the objective, or a
//     person overrides it, seeing the loss. Traffic moves on health, unless the group says hold.
//  6. A backup says, in a form a machine can read, what it does not contain.
//  7. A secret rests and travels only sealed, and leaves through an authorised listSecrets-like call alone.
//  8. The data plane never waits for the control plane, and keeps serving, and starts, when all of it is dead.
//  9. "Healthy", "restored", "in sync" mean verified, never "the call returned". The third outcome is inconclusive.
//  10. Nothing is skipped in silence: what cannot be honoured is reported when it is loaded, with its place.
//  11. No safety property compares wall clocks of two machines.
package tandem
