package failover

// rules are ways to get the protocol wrong. The zero value is the protocol; what ships uses nothing else. Tests set one at
// a time and prove that the exploration sees it.
type rules struct {
	noLeaseWait      bool // promote without waiting for the end of the old lease
	noMargin         bool // wait for the lease and forget the drift of clocks
	staleEpoch       bool // grant to whoever asks, whatever its epoch
	openWhileFencing bool // go on granting while the right is being ended
	foreignTicks     bool // after a take-over, trust ticks of the former leader's clock
	quorumOfOne      bool // believe a single witness
	fromReceipt      bool // the holder counts its right from the receipt of the grant
	anyBoot          bool // the holder takes grants meant for its former process
	lateGrants       bool // the holder takes grants that were asked for before it dropped its right
	lagWithoutLease  bool // bound the loss by the sending of the last renewal
	skipGates        bool // every gate passes
	unclearPasses    bool // an inconclusive gate passes
	anyOutcome       bool // the outcome of any action ends the current step
	newIDs           bool // a take-over gives the running action another id
	silentOverride   bool // an override leaves no record
	blankOverride    bool // an override covers more than it was shown
	noMerge          bool // go back to a service that went its own way without merging
	noFinalSync      bool // swap roles without the final sync
	sameApprover     bool // one person counts as two
	ignoreHold       bool // move roles and traffic although a hold is on
}
