#!/usr/bin/env bash
# One service's life through az (2.45 and newer). The steps build on each other. Prints a line a step:
# "passed NAME MS", "failed NAME MS" or "skipped NAME REASON"; what az said goes to the log named as argument.
# TANDEM_ENDPOINTS names the world; AZURE_CONFIG_DIR is a folder of this run's own.
set -uo pipefail
cd "$(dirname "$0")"
log=$1
get() { jq -er "$1" "$TANDEM_ENDPOINTS"; }

export AZURE_CONFIG_DIR REQUESTS_CA_BUNDLE=$AZURE_CONFIG_DIR/bundle.pem CURL_CA_BUNDLE
export AZURE_CORE_COLLECT_TELEMETRY=false AZURE_CORE_NO_COLOR=true AZURE_CORE_ONLY_SHOW_ERRORS=true AZURE_CORE_INSTANCE_DISCOVERY=false
CURL_CA_BUNDLE=$(get .ca_file)
mkdir -p "$AZURE_CONFIG_DIR"
cat /etc/ssl/certs/ca-certificates.crt "$CURL_CA_BUNDLE" >"$REQUESTS_CA_BUNDLE"

name=clients-az
location=$(get .location)
scope=/subscriptions/$(get .subscription_id)/resourceGroups/$name
at=(-g $name -n $name)                # az apim VERB
in=(-g $name --service-name $name)    # az apim NOUN VERB
storage=(--account-name "$(get .storage.account)" --account-key "$(get .storage.key)" --blob-endpoint "$(get .storage.blob_url)")

is() { [ "$1" = "$2" ] || { echo "got '$1', want '$2'" >&2; return 1; }; }
refused() { # refused WORD COMMAND...: the command fails and says WORD
  local said
  if said=$("${@:2}" 2>&1); then echo "done, but should be refused: ${*:2}" >&2; return 1; fi
  grep -q "$1" <<<"$said" || { echo "refused without '$1': $said" >&2; return 1; }
}
runs() { # runs COMMAND...: az can run it; false where its own code breaks
  local said
  said=$("$@" 2>&1) || ! grep -q '^Traceback' <<<"$said"
}
or_rest() { # or_rest METHOD PATH BODY COMMAND...: the command, or a plain call where az itself breaks
  local said
  if said=$("${@:4}" 2>&1); then return; fi
  grep -q '^Traceback' <<<"$said" || { echo "$said" >&2; return 1; }
  local headers=()
  [ "$1" = put ] || headers=(--headers 'If-Match=*')
  rest "$1" "$2" "$3" "${headers[@]}"
}
until_status() { # until_status STATUS URL [HEADER]: prints the body
  local code body end=$((SECONDS + 60))
  body=$(mktemp)
  while :; do
    code=$(curl -s -o "$body" -w '%{http_code}' ${3:+-H "$3"} "$2")
    [ "$code" = "$1" ] && break
    [ $SECONDS -gt $end ] && { echo "answered $code, want $1: $(cat "$body")" >&2; rm "$body"; return 1; }
  done
  cat "$body"; rm "$body"
}
rest() { az rest --method "$1" --url "$(get .arm_url)$2?api-version=${api:-2024-05-01}" --resource "$(get .arm_audience)" ${3:+--body "$3"} "${@:4}"; }
service() { echo "$scope/providers/Microsoft.ApiManagement/service/$name$1"; }

sign_in() {
  az cloud register -n tandem --endpoint-resource-manager "$(get .arm_url)" --endpoint-active-directory "$(get .authority_url)/adfs" \
    --endpoint-active-directory-resource-id "$(get .arm_audience)" --endpoint-active-directory-graph-resource-id "$(get .graph_url)" --suffix-storage-endpoint core.windows.net
  az cloud set -n tandem
  refused AADSTS7000215 az login --service-principal -u "$(get .client_id)" -p wrong --tenant "$(get .tenant_id)"
  az login --service-principal -u "$(get .client_id)" -p "$(get .client_secret)" --tenant "$(get .tenant_id)"
  is "$(az account show --query id -o tsv)" "$(get .subscription_id)"
}
resource_group() {
  is "$(az group create -n $name -l "$location" --tags of=clients --query properties.provisioningState -o tsv)" Succeeded
  is "$(az group exists -n $name)" true
  is "$(az group exists -n absent)" false
  refused ResourceGroupNotFound az group show -n absent
}
roles() {
  if ! runs az role definition list --name Reader; then # the module does not run with Debian's SDK
    local role=acdd72a7-3385-48ef-bd42-f606fba81ae7 assignment path=$scope/providers/Microsoft.Authorization
    assignment=$path/roleAssignments/7a1d5c0e-6d1c-4d9e-9a57-5f6a0c1b2d3e
    is "$(api=2022-04-01 rest get "$path/roleDefinitions/$role" '' --query properties.roleName -o tsv)" Reader
    api=2022-04-01 rest put "$assignment" "{\"properties\": {\"roleDefinitionId\": \"/subscriptions/$(get .subscription_id)/providers/Microsoft.Authorization/roleDefinitions/$role\", \"principalId\": \"$(get .automation.client_object_id)\", \"principalType\": \"ServicePrincipal\"}}"
    is "$(api=2022-04-01 rest get "$path/roleAssignments" '' --query "length(value[?name=='${assignment##*/}'])" -o tsv)" 1
    api=2022-04-01 rest delete "$assignment"
    is "$(api=2022-04-01 rest get "$path/roleAssignments" '' --query "length(value[?name=='${assignment##*/}'])" -o tsv)" 0
    return
  fi
  is "$(az role definition list --name Reader --scope "$scope" --query '[0].roleName' -o tsv)" Reader
  az role assignment create --role Reader --scope "$scope" --assignee-object-id "$(get .automation.client_object_id)" --assignee-principal-type ServicePrincipal
  is "$(az role assignment list --scope "$scope" --query "length([?principalId=='$(get .automation.client_object_id)'])" -o tsv)" 1
  az role assignment delete --scope "$scope" --role Reader --assignee "$(get .automation.client_id)"
  is "$(az role assignment list --scope "$scope" --query "length([?principalId=='$(get .automation.client_object_id)'])" -o tsv)" 0
}
service_() {
  is "$(az apim check-name -n $name --query nameAvailable -o tsv)" true
  is "$(az apim create "${at[@]}" -l "$location" --publisher-name Clients --publisher-email a@clients.example --sku-name Developer --query provisioningState -o tsv)" Succeeded
  is "$(az apim update "${at[@]}" --publisher-name 'Clients of az' --set tags.a=b --query publisherName -o tsv)" 'Clients of az'
  is "$(az apim show "${at[@]}" --query tags.a -o tsv)" b
  is "$(az apim list -g $name --query 'length(@)' -o tsv)" 1
  [ "$(az apim list --query 'length(@)' -o tsv)" -ge 3 ]
  is "$(az resource list -g $name --query "length([?type=='Microsoft.ApiManagement/service'])" -o tsv)" 1
  refused ResourceNotFound az apim show -g $name -n absent
}
name_check() { # a name is taken everywhere
  is "$(az apim check-name -n apim-primary --query nameAvailable -o tsv)" false
  is "$(az apim check-name -n apim-dr --query nameAvailable -o tsv)" false
}
named_values() {
  or_rest put "$(service /namedValues/greeting-plain)" '{"properties": {"displayName": "greeting-plain", "value": "plain"}}' \
    az apim nv create "${in[@]}" --named-value-id greeting-plain --display-name greeting-plain --value plain
  or_rest put "$(service /namedValues/hidden)" '{"properties": {"displayName": "hidden", "value": "not to be seen", "secret": true, "tags": ["t"]}}' \
    az apim nv create "${in[@]}" --named-value-id hidden --display-name hidden --value 'not to be seen' --secret true --tags t
  is "$(az apim nv show "${in[@]}" --named-value-id hidden --query value -o tsv)" ''
  is "$(az apim nv show-secret "${in[@]}" --named-value-id hidden --query value -o tsv)" 'not to be seen'
  or_rest patch "$(service /namedValues/greeting-plain)" '{"properties": {"value": "changed"}}' \
    az apim nv update "${in[@]}" --named-value-id greeting-plain --value changed
  is "$(az apim nv show "${in[@]}" --named-value-id greeting-plain --query value -o tsv)" changed
  is "$(az apim nv list "${in[@]}" --query 'length(@)' -o tsv)" 2
}
api_import() {
  is "$(az apim api import "${in[@]}" --path greeting --api-id greeting --specification-format OpenApiJson --specification-path fixtures/greeting.json --query displayName -o tsv)" Greeting
  is "$(az apim api show "${in[@]}" --api-id greeting --query isCurrent -o tsv)" true
  local broken status=0
  broken=$(mktemp) && echo '{' >"$broken"
  refused ValidationError az apim api import "${in[@]}" --path broken --api-id broken --specification-format OpenApiJson --specification-path "$broken" || status=1
  rm "$broken"
  return $status
}
operations() {
  is "$(az apim api operation list "${in[@]}" --api-id greeting --query 'length(@)' -o tsv)" 2
  or_rest put "$(service /apis/greeting/operations/wave)" '{"properties": {"displayName": "Wave", "method": "POST", "urlTemplate": "/wave/{hand}", "templateParameters": [{"name": "hand", "type": "string", "required": true}]}}' \
    az apim api operation create "${in[@]}" --api-id greeting --operation-id wave --display-name Wave --method POST --url-template '/wave/{hand}' --template-parameters name=hand type=string required=true
  or_rest patch "$(service /apis/greeting/operations/wave)" '{"properties": {"displayName": "Wave back"}}' \
    az apim api operation update "${in[@]}" --api-id greeting --operation-id wave --display-name 'Wave back'
  is "$(az apim api operation show "${in[@]}" --api-id greeting --operation-id wave --query displayName -o tsv)" 'Wave back'
  az apim api operation delete "${in[@]}" --api-id greeting --operation-id wave
  refused NotFound az apim api operation show "${in[@]}" --api-id greeting --operation-id wave
}
policies() { # az apim has no verbs for policies
  local body
  body=$(jq -n --rawfile v fixtures/greeting.xml '{properties: {format: "rawxml", value: $v}}')
  rest put "$(service /apis/greeting/operations/say-hello/policies/policy)" "$body"
  rest get "$(service /apis/greeting/operations/say-hello/policies/policy)" '' --uri-parameters format=rawxml --query properties.value -o tsv | grep -q '"good day "'
  refused ValidationError rest put "$(service /apis/greeting/policies/policy)" '{"properties": {"format": "rawxml", "value": "<policies><inbound><no-such /></inbound></policies>"}}'
}
revisions_releases() {
  or_rest put "$(service '/apis/greeting;rev=2')" "{\"properties\": {\"sourceApiId\": \"$(service /apis/greeting)\", \"path\": \"greeting\", \"apiRevisionDescription\": \"second\"}}" \
    az apim api revision create "${in[@]}" --api-id greeting --api-revision 2 --api-revision-description second
  is "$(az apim api revision list "${in[@]}" --api-id greeting --query 'length(@)' -o tsv)" 2
  or_rest put "$(service /apis/greeting/releases/r2)" "{\"properties\": {\"apiId\": \"$(service '/apis/greeting;rev=2')\", \"notes\": \"second is current\"}}" \
    az apim api release create "${in[@]}" --api-id greeting --release-id r2 --api-revision 2 --notes 'second is current'
  is "$(az apim api show "${in[@]}" --api-id greeting --query apiRevision -o tsv)" 2
  is "$(az apim api release list "${in[@]}" --api-id greeting --query 'length(@)' -o tsv)" 1
}
product_links() {
  or_rest put "$(service /products/gold)" '{"properties": {"displayName": "Gold", "state": "published", "subscriptionRequired": true}}' \
    az apim product create "${in[@]}" --product-id gold --product-name Gold --state published --subscription-required true
  rest put "$(service /products/gold/apiLinks/greeting)" "{\"properties\": {\"apiId\": \"$(service /apis/greeting)\"}}"
  local linked
  linked=$(az apim product api list "${in[@]}" --product-id gold --query 'length(@)' -o tsv)
  rest delete "$(service /products/gold/apiLinks/greeting)"
  az apim product api add "${in[@]}" --product-id gold --api-id greeting
  az apim product api check "${in[@]}" --product-id gold --api-id greeting
  or_rest patch "$(service /products/gold)" '{"properties": {"description": "for those who greet"}}' \
    az apim product update "${in[@]}" --product-id gold --description 'for those who greet'
  is "$(az apim product show "${in[@]}" --product-id gold --query description -o tsv)" 'for those who greet'
  is "$linked" 1
}
subscription_keys() { # az apim has no verbs for subscriptions
  local path first second
  path=$(service /subscriptions/caller)
  rest put "$path" "{\"properties\": {\"displayName\": \"Caller\", \"scope\": \"$(service /products/gold)\", \"state\": \"active\"}}"
  is "$(rest get "$path" '' --query properties.primaryKey -o tsv)" ''
  first=$(rest post "$path/listSecrets" '' --query primaryKey -o tsv)
  rest post "$path/regeneratePrimaryKey"
  second=$(rest post "$path/listSecrets" '' --query primaryKey -o tsv)
  [ -n "$second" ] && [ "$first" != "$second" ]
}
gateway_call() {
  local gateway key
  gateway=$(az apim show "${at[@]}" --query gatewayUrl -o tsv)
  key=$(rest post "$(service /subscriptions/caller/listSecrets)" '' --query primaryKey -o tsv)
  is "$(until_status 200 "$gateway/greeting/hello/Ada" "Ocp-Apim-Subscription-Key: $key")" 'good day Ada'
  until_status 401 "$gateway/greeting/hello/Ada"
}
tags_version_sets() {
  rest put "$(service /tags/warm)" '{"properties": {"displayName": "warm"}}'
  rest put "$(service /apis/greeting/tags/warm)"
  is "$(rest get "$(service /apis/greeting/tags)" '' --query 'length(value)' -o tsv)" 1
  or_rest put "$(service /apiVersionSets/greetings)" '{"properties": {"displayName": "Greetings", "versioningScheme": "Segment"}}' \
    az apim api versionset create "${in[@]}" --version-set-id greetings --display-name Greetings --versioning-scheme Segment
  # az apim api create takes no version set
  rest put "$(service /apis/greeting-v2)" "{\"properties\": {\"displayName\": \"Greeting 2\", \"path\": \"greetings\", \"apiVersion\": \"v2\", \"apiVersionSetId\": \"$(service /apiVersionSets/greetings)\", \"protocols\": [\"https\"]}}"
  is "$(az apim api show "${in[@]}" --api-id greeting-v2 --query apiVersion -o tsv)" v2
  refused ValidationError az apim api versionset delete "${in[@]}" --version-set-id greetings
  az apim api delete "${in[@]}" --api-id greeting-v2 --delete-revisions true -y
  az apim api versionset delete "${in[@]}" --version-set-id greetings
}
backup_restore() {
  local to=(--backup-name $name.backup --storage-account-name "$(get .storage.account)" --storage-account-container "$(get .storage.container)" --storage-account-key "$(get .storage.key)")
  az apim backup -g APIMPrimaryRG -n apim-primary "${to[@]}"
  az apim restore -g APIMDRRG -n apim-dr "${to[@]}"
  local keys
  keys=$(for s in APIMPrimaryRG/providers/Microsoft.ApiManagement/service/apim-primary APIMDRRG/providers/Microsoft.ApiManagement/service/apim-dr; do
    rest post "${scope%/*}/$s/subscriptions/parcels-client/listSecrets" '' --query primaryKey -o tsv
  done | sort -u)
  is "$(wc -l <<<"$keys")" 1
  until_status 200 "$(get '.gateways["apim-dr"].url')/parcels-api/parcels/p1" "Ocp-Apim-Subscription-Key: $keys"
}
traffic() {
  local gateway port host
  gateway=$(az apim show "${at[@]}" --query gatewayUrl -o tsv)
  port=${gateway##*:} host=${gateway#https://} host=${host%:*}
  if ! runs az network traffic-manager profile list; then # the module does not run with Debian's SDK
    local api=2022-04-01 profile=$scope/providers/Microsoft.Network/trafficManagerProfiles/greetings
    is "$(rest put "$profile" "{\"location\": \"global\", \"properties\": {\"trafficRoutingMethod\": \"Priority\", \"dnsConfig\": {\"relativeName\": \"$name\", \"ttl\": 10}, \"monitorConfig\": {\"protocol\": \"HTTPS\", \"port\": $port, \"path\": \"/status-0123456789abcdef\"}}}" --query properties.dnsConfig.fqdn -o tsv)" $name.trafficmanager.net
    rest put "$profile/externalEndpoints/first" "{\"properties\": {\"target\": \"$host\", \"priority\": 1, \"endpointStatus\": \"Enabled\"}}"
    is "$(ask_dns $name.trafficmanager.net)" "$host"
    rest patch "$profile/externalEndpoints/first" '{"properties": {"priority": 5}}'
    is "$(rest get "$profile" '' --query 'properties.endpoints[0].properties.priority' -o tsv)" 5
    rest delete "$profile/externalEndpoints/first"
    rest delete "$profile"
    return
  fi
  is "$(az network traffic-manager profile create -g $name -n greetings --routing-method Priority --unique-dns-name $name --ttl 10 --path /status-0123456789abcdef --port "$port" --protocol HTTPS --query TrafficManagerProfile.dnsConfig.fqdn -o tsv)" $name.trafficmanager.net
  az network traffic-manager endpoint create -g $name --profile-name greetings -n first --type externalEndpoints --target "$host" --priority 1 --endpoint-status Enabled
  is "$(az network traffic-manager endpoint list -g $name --profile-name greetings --query 'length(@)' -o tsv)" 1
  is "$(ask_dns $name.trafficmanager.net)" "$host"
  is "$(az network traffic-manager profile check-dns -n $name --query nameAvailable -o tsv)" false
  az network traffic-manager endpoint update -g $name --profile-name greetings -n first --type externalEndpoints --priority 5
  az network traffic-manager endpoint delete -g $name --profile-name greetings -n first --type externalEndpoints
  az network traffic-manager profile delete -g $name -n greetings
}
ask_dns() {
  local at end=$((SECONDS + 60)) said
  at=$(get .dns_addr)
  while said=$(dig +short +time=1 +tries=2 -p "${at##*:}" "@${at%:*}" "$1" A); [ -z "$said" ] && [ $SECONDS -lt $end ]; do sleep 0.2; done
  echo "$said"
}
storage_blob() {
  az storage account keys list -g APIMDRRG -n "$(get .storage.account)" --query '[0].value' -o tsv | grep -qxF "$(get .storage.key)"
  local folder status=0
  folder=$(mktemp -d)
  head -c 6000000 /dev/urandom >"$folder/up"
  (set -e
  az storage container create "${storage[@]}" -n $name
  az storage blob upload "${storage[@]}" -c $name -n 'a folder/greeting' -f "$folder/up" --no-progress
  az storage blob download "${storage[@]}" -c $name -n 'a folder/greeting' -f "$folder/down" --no-progress
  cmp "$folder/up" "$folder/down"
  is "$(az storage blob list "${storage[@]}" -c $name --query '[].name' -o tsv)" 'a folder/greeting'
  az storage container delete "${storage[@]}" -n $name) || status=1
  rm -r "$folder"
  return $status
}
deployment() { # a template, as az sends it: with comments, pasted into JSON as it is
  local template status=0
  template=$(mktemp)
  cat >"$template" <<'T'
{ "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
  "parameters": { "service": { "type": "string" } },
  // comments are allowed
  "resources": [ { "type": "Microsoft.ApiManagement/service/namedValues", "apiVersion": "2024-05-01", "name": "[concat(parameters('service'), '/deployed')]",
    "properties": { "displayName": "deployed", "value": "[toUpper('yes')]" } } ] }
T
  (set -e
  az deployment group create -g $name -n greet --template-file "$template" --parameters service=$name
  is "$(az apim nv show "${in[@]}" --named-value-id deployed --query value -o tsv)" YES) || status=1
  rm "$template"
  return $status
}
delete() {
  az apim api delete "${in[@]}" --api-id greeting --delete-revisions true -y
  az apim product delete "${in[@]}" --product-id gold --delete-subscriptions true -y
  az apim delete "${at[@]}" -y
  refused ResourceNotFound az apim show "${at[@]}"
}
soft_delete() {
  is "$(az apim deletedservice list --query "length([?name=='$name'])" -o tsv)" 1
  az apim deletedservice purge --service-name $name -l "$location"
  is "$(az apim deletedservice list --query "length([?name=='$name'])" -o tsv)" 0
}

run() { # run NAME FUNCTION
  local began=${EPOCHREALTIME/./} word=passed
  (set -ex; "$2") >>"$log" 2>&1 &
  wait $! || word=failed
  echo "$word $1 $(((${EPOCHREALTIME/./} - began) / 1000))"
}
run sign-in sign_in
run resource-group resource_group
run roles roles
run service service_
run name-check name_check
run named-values named_values
run api-import api_import
run operations operations
run policies policies
run revisions-releases revisions_releases
run product-links product_links
run subscription-keys subscription_keys
run gateway-call gateway_call
run tags-version-sets tags_version_sets
run backup-restore backup_restore
if command -v dig >/dev/null; then run traffic traffic; else echo "skipped traffic dig is not installed"; fi
run storage-blob storage_blob
run deployment deployment
run delete delete
run soft-delete soft_delete
(az group delete -n $name -y) >>"$log" 2>&1
exit 0
