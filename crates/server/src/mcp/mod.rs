//! The Model Context Protocol: agents list our tools and call them, over streamable HTTP (`/mcp`) or
//! over the standard streams of `ouzel mcp`. A tool is one call of the HTTP API, so that an agent
//! sees what every other client sees, within the same limits.

mod call;
mod door;

use std::io;
use std::sync::{Arc, LazyLock};

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, InitializeResult,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Map, Value};

use call::Call;
pub use door::{Door, Inside, Remote};

/// Largest request of an agent.
const BODY_LIMIT: usize = 256 << 10;

const INSTRUCTIONS: &str = "Ouzel watches a live market and remembers documents. Start with `movers`; ask \
`why_is_it_moving` for cited evidence; `shocks` are jumps and halts explained as they came; check a citation with `evidence`. `integrity` and `receipt.flags` say how far \
to trust the data; an answer with `abstained` true has no evidence.";

/// The tools, with their schemas, as they are listed.
static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("tools.json")).expect("a list of tools: a test reads it")
});

/// Our side of one session.
#[derive(Clone)]
pub struct Agent<D> {
    door: D,
}

impl<D: Door> Agent<D> {
    /// Tools that call through `door`.
    pub fn new(door: D) -> Self {
        Self { door }
    }

    /// Speaks over the standard streams until they end.
    ///
    /// # Errors
    /// When the other side does not speak the protocol, or a stream breaks.
    pub async fn run_stdio(self) -> io::Result<()> {
        let running = self.serve(rmcp::transport::stdio()).await;
        let running = running.map_err(io::Error::other)?;
        running.waiting().await.map_err(io::Error::other)?;
        Ok(())
    }

    async fn answered(&self, name: &str, arguments: &Map<String, Value>) -> Result<Value, String> {
        let call = Call::of(name, arguments)?;
        let said = self.door.answer(&call).await?;
        call.shaped(said)
    }
}

/// The service behind `/mcp`. Hosts and origins are checked before it, as for every route.
pub fn service<D: Door>(door: D) -> StreamableHttpService<Agent<D>, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    let config = config.with_max_request_body_bytes(BODY_LIMIT);
    StreamableHttpService::new(
        move || Ok(Agent::new(door.clone())),
        Arc::new(LocalSessionManager::default()),
        config,
    )
}

impl<D: Door> ServerHandler for Agent<D> {
    fn get_info(&self) -> ServerConfig {
        let us = Implementation::new("ouzel", env!("CARGO_PKG_VERSION")).with_title("Ouzel");
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        InitializeResult::new(capabilities)
            .with_server_info(us)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.clone()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        TOOLS.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.as_ref();
        if self.get_tool(name).is_none() {
            let names: Vec<&str> = TOOLS.iter().map(|tool| tool.name.as_ref()).collect();
            let what = format!("no tool named {name:.60?}; there are {}", names.join(", "));
            return Err(ErrorData::invalid_params(what, None));
        }
        let arguments = request.arguments.unwrap_or_default();
        // What an agent can mend is told as the tool's result: protocol errors are not shown to it.
        let result = match self.answered(name, &arguments).await {
            Ok(value) => CallToolResult::structured(value),
            Err(why) => CallToolResult::error(vec![rmcp::model::ContentBlock::text(why)]),
        };
        Ok(result.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_schemas_and_a_call() {
        assert_eq!(TOOLS.len(), 7);
        for tool in TOOLS.iter() {
            assert!(tool.output_schema.is_some(), "{}", tool.name);
            assert_eq!(tool.input_schema["additionalProperties"], false);
            let mut arguments = Map::new();
            for name in tool.input_schema["required"].as_array().expect("a list") {
                arguments.insert(name.as_str().expect("a name").into(), "AAPL".into());
            }
            assert!(Call::of(&tool.name, &arguments).is_ok(), "{}", tool.name);
        }
    }
}
