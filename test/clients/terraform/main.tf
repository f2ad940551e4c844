# A service's life through azurerm: everything that a team keeps in code. Variables come from the environment of ../run.
variable "location" { type = string }
variable "principal" { type = string }
variable "gateway_note" {
  type    = string
  default = "first"
}

provider "azurerm" {
  features {
    api_management {
      purge_soft_delete_on_destroy = true
      recover_soft_deleted         = false
    }
  }
  resource_provider_registrations = "none"
}

resource "azurerm_resource_group" "it" {
  name     = "clients-terraform"
  location = var.location
  tags     = { of = "clients" }
}

resource "azurerm_api_management" "it" {
  name                = "clients-terraform"
  location            = azurerm_resource_group.it.location
  resource_group_name = azurerm_resource_group.it.name
  publisher_name      = "Clients"
  publisher_email     = "a@clients.example"
  sku_name            = "Developer_1"
  tags                = { note = var.gateway_note }
}

locals {
  in = { api_management_name = azurerm_api_management.it.name, resource_group_name = azurerm_resource_group.it.name }
}

resource "azurerm_api_management_named_value" "plain" {
  name                = "greeting"
  display_name        = "greeting"
  value               = "hello of ${var.gateway_note}"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_named_value" "secret" {
  name                = "hidden"
  display_name        = "hidden"
  value               = "not to be seen"
  secret              = true
  tags                = ["t"]
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_group" "team" {
  name                = "team"
  display_name        = "Team"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_user" "ada" {
  user_id             = "ada"
  first_name          = "Ada"
  last_name           = "Lovelace"
  email               = "ada@clients.example"
  state               = "active"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_group_user" "ada" {
  user_id             = azurerm_api_management_user.ada.user_id
  group_name          = azurerm_api_management_group.team.name
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_backend" "echo" {
  name                = "echo"
  protocol            = "http"
  url                 = "https://echo.clients.example"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
  credentials {
    header = { x-from = "terraform" }
  }
}

resource "azurerm_api_management_api_version_set" "greetings" {
  name                = "greetings"
  display_name        = "Greetings"
  versioning_scheme   = "Segment"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_api" "greeting" {
  name                  = "greeting"
  revision              = "1"
  display_name          = "Greeting"
  path                  = "greeting"
  protocols             = ["https"]
  version               = "v1"
  version_set_id        = azurerm_api_management_api_version_set.greetings.id
  subscription_required = true
  api_management_name   = local.in.api_management_name
  resource_group_name   = local.in.resource_group_name
  import {
    content_format = "openapi+json"
    content_value  = file("${path.module}/../fixtures/greeting.json")
  }
}

resource "azurerm_api_management_api_operation" "wave" {
  operation_id        = "wave"
  api_name            = azurerm_api_management_api.greeting.name
  display_name        = "Wave"
  method              = "POST"
  url_template        = "/wave/{hand}"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
  template_parameter {
    name     = "hand"
    type     = "string"
    required = true
  }
  response { status_code = 200 }
}

resource "azurerm_api_management_api_operation_policy" "wave" {
  api_name            = azurerm_api_management_api.greeting.name
  operation_id        = azurerm_api_management_api_operation.wave.operation_id
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
  xml_content         = <<-XML
    <policies>
      <inbound>
        <base />
        <return-response>
          <set-status code="200" reason="OK" />
          <set-body>{{greeting}}</set-body>
        </return-response>
      </inbound>
      <backend><base /></backend>
      <outbound><base /></outbound>
      <on-error><base /></on-error>
    </policies>
  XML
  depends_on          = [azurerm_api_management_named_value.plain]
}

resource "azurerm_api_management_api_policy" "greeting" {
  api_name            = azurerm_api_management_api.greeting.name
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
  xml_content         = "<policies><inbound><base /><set-header name=\"x-by\" exists-action=\"override\"><value>terraform</value></set-header></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
}

resource "azurerm_api_management_tag" "warm" {
  name              = "warm"
  api_management_id = azurerm_api_management.it.id
}

resource "azurerm_api_management_api_tag" "warm" {
  name   = azurerm_api_management_tag.warm.name
  api_id = azurerm_api_management_api.greeting.id
}

resource "azurerm_api_management_product" "gold" {
  product_id            = "gold"
  display_name          = "Gold"
  subscription_required = true
  approval_required     = false
  published             = true
  api_management_name   = local.in.api_management_name
  resource_group_name   = local.in.resource_group_name
}

resource "azurerm_api_management_product_api" "greeting" {
  product_id          = azurerm_api_management_product.gold.product_id
  api_name            = azurerm_api_management_api.greeting.name
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_product_group" "team" {
  product_id          = azurerm_api_management_product.gold.product_id
  group_name          = azurerm_api_management_group.team.name
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_subscription" "caller" {
  subscription_id     = "caller"
  display_name        = "Caller"
  product_id          = azurerm_api_management_product.gold.id
  user_id             = azurerm_api_management_user.ada.id
  state               = "active"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_policy_fragment" "noop" {
  name              = "noop"
  format            = "rawxml"
  value             = "<fragment><set-header name=\"x-f\" exists-action=\"override\"><value>1</value></set-header></fragment>"
  api_management_id = azurerm_api_management.it.id
}

resource "azurerm_api_management_logger" "insights" {
  name                = "insights"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
  application_insights {
    instrumentation_key = "11111111-2222-3333-4444-555555555555"
  }
}

resource "azurerm_api_management_api_diagnostic" "greeting" {
  identifier               = "applicationinsights"
  api_name                 = azurerm_api_management_api.greeting.name
  api_management_logger_id = azurerm_api_management_logger.insights.id
  sampling_percentage      = 5
  verbosity                = "information"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_api_release" "first" {
  name   = "first"
  api_id = azurerm_api_management_api.greeting.id
  notes  = "of Terraform"
}

resource "azurerm_api_management_policy" "all" {
  api_management_id = azurerm_api_management.it.id
  xml_content       = "<policies><inbound><set-header name=\"x-all\" exists-action=\"override\"><value>1</value></set-header></inbound><backend><forward-request /></backend><outbound /><on-error /></policies>"
}

resource "azurerm_api_management_product_policy" "gold" {
  product_id  = azurerm_api_management_product.gold.product_id
  xml_content = "<policies><inbound><base /><rate-limit calls=\"1000\" renewal-period=\"60\" /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_openid_connect_provider" "login" {
  name              = "login"
  display_name      = "Login"
  client_id         = "client"
  client_secret     = "secret of the client"
  metadata_endpoint = "https://login.clients.example/.well-known/openid-configuration"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_authorization_server" "auth" {
  name                         = "auth"
  display_name                 = "Auth"
  authorization_endpoint       = "https://auth.clients.example/authorize"
  token_endpoint               = "https://auth.clients.example/token"
  client_id                    = "client"
  client_secret                = "secret of the server"
  client_registration_endpoint = "https://auth.clients.example/register"
  grant_types                  = ["authorizationCode"]
  authorization_methods        = ["GET"]
  client_authentication_method = ["Basic"]
  bearer_token_sending_methods = ["authorizationHeader"]
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_email_template" "confirm" {
  template_name = "ConfirmSignUpIdentityDefault"
  subject       = "Welcome to Clients"
  body          = "<p>Hello $DevFirstName</p>"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_global_schema" "greeting" {
  schema_id = "greeting"
  type      = "json"
  value     = jsonencode({ type = "object", properties = { text = { type = "string" } } })
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_gateway" "own" {
  name              = "own"
  api_management_id = azurerm_api_management.it.id
  location_data { name = "cellar" }
}

resource "azurerm_api_management_gateway_api" "own" {
  gateway_id = azurerm_api_management_gateway.own.id
  api_id     = trimsuffix(azurerm_api_management_api.greeting.id, ";rev=1") # azurerm keeps it without its revision
}

resource "azurerm_api_management_notification_recipient_email" "someone" {
  api_management_id = azurerm_api_management.it.id
  notification_type = "AccountClosedPublisher"
  email             = "someone@clients.example"
}

resource "azurerm_api_management_identity_provider_google" "google" {
  client_id     = "00000000.apps.googleusercontent.com"
  client_secret = "secret of google"
  api_management_name = local.in.api_management_name
  resource_group_name = local.in.resource_group_name
}

resource "azurerm_api_management_workspace" "team" {
  name              = "team"
  api_management_id = azurerm_api_management.it.id
  display_name      = "Team"
}

resource "azurerm_role_assignment" "reader" {
  scope                = azurerm_resource_group.it.id
  role_definition_name = "Reader"
  principal_id         = var.principal
  principal_type       = "ServicePrincipal"
}

resource "azurerm_storage_account" "it" {
  name                     = "clientsterraform"
  resource_group_name      = azurerm_resource_group.it.name
  location                 = azurerm_resource_group.it.location
  account_tier             = "Standard"
  account_replication_type = "LRS"
}

resource "azurerm_traffic_manager_profile" "greetings" {
  name                   = "greetings"
  resource_group_name    = azurerm_resource_group.it.name
  traffic_routing_method = "Priority"
  dns_config {
    relative_name = "clients-terraform"
    ttl           = 10
  }
  monitor_config {
    protocol = "HTTPS"
    port     = 443
    path     = "/status-0123456789abcdef"
  }
}

resource "azurerm_traffic_manager_external_endpoint" "first" {
  name       = "first"
  profile_id = azurerm_traffic_manager_profile.greetings.id
  target     = "first.clients.example"
  priority   = 1
}

output "gateway" { value = azurerm_api_management.it.gateway_url }
output "key" {
  value     = azurerm_api_management_subscription.caller.primary_key
  sensitive = true
}
