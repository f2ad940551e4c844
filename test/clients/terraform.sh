# What run does for terraform. The provider comes from its own source as a Go module, so no provider registry is asked; a
# development override tells Terraform where it lies.
terraform_version=v1.11.4
azurerm_version=v1.44.1-0.20260824201233-fae580791926

terraform_cli() { # prints the command
  local c
  for c in terraform tofu "$PWD/terraform/bin/terraform"; do
    if command -v "$c" >/dev/null; then command -v "$c"; return; fi
  done
  [ -z "${NO_INSTALL:-}" ] && command -v go >/dev/null || return
  GOBIN=$PWD/terraform/bin go install -ldflags="-s -w" "github.com/hashicorp/terraform@$terraform_version" >"$work/terraform-build.log" 2>&1 || return
  echo "$PWD/terraform/bin/terraform"
}

terraform_provider() { # puts the provider into terraform/bin
  [ -x terraform/bin/terraform-provider-azurerm ] && return
  [ -z "${NO_INSTALL:-}" ] && command -v go >/dev/null || return
  echo "terraform-provider-azurerm is built from source; that takes half an hour and 6 GB of disk"
  GOBIN=$PWD/terraform/bin go install -p 1 -ldflags="-s -w" "github.com/hashicorp/terraform-provider-azurerm@$azurerm_version" >"$work/azurerm-build.log" 2>&1
}

terraform_scenario() { # terraform_scenario CLI LOG: prints "passed NAME MS" or "failed NAME WHY" a step
  local cli=$1 log=$2 dir=$work/terraform
  local get=(jq -er) gateway key
  mkdir -p "$dir/terraform"
  cp terraform/main.tf "$dir/terraform/"
  cp -r fixtures "$dir/"
  cat >"$dir/cli.tfrc" <<T
disable_checkpoint = true
provider_installation {
  dev_overrides { "hashicorp/azurerm" = "$PWD/terraform/bin" }
}
T
  cat /etc/ssl/certs/ca-certificates.crt "$CA" >"$dir/bundle.pem"
  arm=$("${get[@]}" .arm_url "$TANDEM_ENDPOINTS")
  export SSL_CERT_FILE=$dir/bundle.pem TF_CLI_CONFIG_FILE=$dir/cli.tfrc TF_IN_AUTOMATION=1 ARM_METADATA_HOSTNAME=${arm#https://}
  ARM_SUBSCRIPTION_ID=$("${get[@]}" .subscription_id "$TANDEM_ENDPOINTS") ARM_TENANT_ID=$("${get[@]}" .tenant_id "$TANDEM_ENDPOINTS")
  ARM_CLIENT_ID=$("${get[@]}" .client_id "$TANDEM_ENDPOINTS") ARM_CLIENT_SECRET=$("${get[@]}" .client_secret "$TANDEM_ENDPOINTS")
  TF_VAR_location=$("${get[@]}" .location "$TANDEM_ENDPOINTS")
  TF_VAR_principal=$("${get[@]}" .automation.client_object_id "$TANDEM_ENDPOINTS")
  export TF_VAR_principal ARM_SUBSCRIPTION_ID ARM_TENANT_ID ARM_CLIENT_ID ARM_CLIENT_SECRET TF_VAR_location
  cd "$dir/terraform" || return
  step() { # step NAME COMMAND...
    local name=$1 began=${EPOCHREALTIME/./}
    echo "== $name" >>"$log"
    if "${@:2}" >>"$log" 2>&1; then echo "passed $name $(((${EPOCHREALTIME/./} - began) / 1000))"; else echo "failed $name"; return 1; fi
  }
  step apply "$cli" apply -auto-approve -no-color -input=false || { "$cli" destroy -auto-approve -no-color >>"$log" 2>&1; return; }
  step no-changes "$cli" plan -detailed-exitcode -no-color -input=false # what was made is what is read back
  gateway=$("$cli" output -raw gateway) key=$("$cli" output -raw key)
  called() { # what Terraform made answers, with the named value in it
    local end=$((SECONDS + 60)) said
    until said=$(curl -s --cacert "$CA" -X POST -H "Ocp-Apim-Subscription-Key: $key" "$gateway/greeting/v1/wave/left"); [ "$said" = "$1" ]; do
      [ $SECONDS -lt $end ] || { echo "the gateway says '$said', want '$1'"; return 1; }
      sleep 0.2
    done
  }
  step gateway-call called "hello of first"
  export TF_VAR_gateway_note=second
  step change "$cli" apply -auto-approve -no-color -input=false
  step gateway-changed called "hello of second"
  step no-changes-again "$cli" plan -detailed-exitcode -no-color -input=false
  imported() { # a resource that another made comes into the state, and no change is due
    "$cli" state rm -no-color azurerm_api_management_named_value.plain &&
      "$cli" import -no-color -input=false azurerm_api_management_named_value.plain \
        "/subscriptions/$ARM_SUBSCRIPTION_ID/resourceGroups/clients-terraform/providers/Microsoft.ApiManagement/service/clients-terraform/namedValues/greeting" &&
      "$cli" plan -detailed-exitcode -no-color -input=false
  }
  step import imported
  step destroy "$cli" destroy -auto-approve -no-color -input=false
}
