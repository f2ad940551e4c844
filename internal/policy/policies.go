package policy

// The table's rows by category; each policy is in a file of its own.
var (
	controlPolicies = []*Policy{policyChoose, policyIncludeFragment, policyRetry, policyWait, policyReturnResponse, policyMockResponse,
		policySetVariable, policyBlock}
	transformPolicies = []*Policy{policySetHeader, policySetQueryParameter, policySetBody, policySetMethod, policySetStatus, policyRewriteURI,
		policyFindAndReplace, policyRedirectContentURLs, policyXMLToJSON, policyJSONToXML, policyJSONP, policyXSLTransform}
	accessPolicies = []*Policy{policyCheckHeader, policyIPFilter, policyCORS, policyCrossDomain, policyValidateJWT, policyValidateAzureADToken,
		policyValidateClientCertificate}
	limitPolicies      = []*Policy{policyRateLimit, policyRateLimitByKey, policyQuota, policyQuotaByKey, policyLimitConcurrency}
	cachePolicies      = []*Policy{policyCacheLookup, policyCacheStore, policyCacheLookupValue, policyCacheStoreValue, policyCacheRemoveValue}
	authPolicies       = []*Policy{policyAuthBasic, policyAuthCertificate, policyAuthManagedIdentity, policyGetAuthorizationContext}
	validationPolicies = []*Policy{policyValidateContent, policyValidateParameters, policyValidateHeaders, policyValidateStatusCode,
		policyValidateGraphQL, policyValidateOData}
	routingPolicies     = []*Policy{policyForwardRequest, policySetBackendService, policyProxy}
	integrationPolicies = []*Policy{policySendRequest, policySendOneWayRequest, policyLogToEventHub, policySendServiceBusMessage,
		policyPublishToDapr, policyInvokeDaprBinding}
	loggingPolicies  = []*Policy{policyTrace, policyEmitMetric}
	llmPolicies      = llmRows()
	resolverPolicies = []*Policy{policyHTTPDataSource, policySQLDataSource, policyCosmosDataSource, policyPublishEvent}
)
