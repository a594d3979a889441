//! Arrow Flight: `ListFlights`, `GetFlightInfo`, `GetSchema` and `DoGet` over the numbered stream.
//!
//! A descriptor is a path, `trades` or `trades/AAPL`, or a command, which is also what a ticket is:
//! `{"table": "trades", "symbol": "AAPL", "from": 1}`. Nothing can be put.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_descriptor::DescriptorType;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo,
    HandshakeRequest, HandshakeResponse, IpcMessage, PollInfo, PutResult, SchemaAsIpc,
    SchemaResult, Ticket,
};
use arrow_ipc::writer::IpcWriteOptions;
use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use super::{Batches, Query, Table};
use crate::app::App;
use crate::json::from_object;

/// What a ticket holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    table: String,
    #[serde(default)]
    symbol: Option<String>,
    #[serde(default)]
    from: u64,
}

/// Listens on `address`; port 0 picks a free one. The second value is the address got.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let got = listener.local_addr()?;
    Ok((listener, got))
}

/// Serves Flight until the task is dropped.
///
/// # Errors
/// When accepting connections fails for good.
pub async fn serve(listener: TcpListener, app: Arc<App>) -> Result<(), tonic::transport::Error> {
    let service = FlightServiceServer::new(Door { app });
    tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await
}

struct Door {
    app: Arc<App>,
}

type Answer<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Door {
    fn query(&self, wish: Wish) -> Result<Query, Status> {
        let table = Table::parse(&wish.table)
            .ok_or_else(|| Status::not_found("the tables are trades and bars"))?;
        if let Some(symbol) = &wish.symbol
            && self.app.node.market().symbol(symbol).is_none()
        {
            let what = format!("symbol {symbol:?} is not known; GET /v1/symbols lists them");
            return Err(Status::not_found(what));
        }
        Ok(Query::now(&self.app, table, wish.symbol, wish.from))
    }

    fn info(&self, wish: &Wish, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
        let query = self.query(wish.clone())?;
        let schema = Batches::new(Arc::clone(&self.app), query).schema();
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(words(wish)));
        let info = FlightInfo::new().try_with_schema(&schema);
        let info = info.map_err(|e| Status::internal(e.to_string()))?;
        // How many rows there are is known once they are read: no total.
        Ok(info
            .with_endpoint(endpoint)
            .with_descriptor(descriptor)
            .with_ordered(true)
            .with_total_records(-1)
            .with_total_bytes(-1))
    }
}

fn words(wish: &Wish) -> String {
    // A struct of text and numbers has nothing that JSON cannot hold.
    serde_json::to_string(wish).expect("a ticket is JSON")
}

fn read(bytes: &[u8]) -> Result<Wish, Status> {
    let hint = "write {\"table\": \"trades\", \"symbol\": \"AAPL\", \"from\": 1}";
    from_object(bytes).map_err(|e| Status::invalid_argument(format!("{e}; {hint}")))
}

fn wish(descriptor: &FlightDescriptor) -> Result<Wish, Status> {
    if descriptor.r#type == DescriptorType::Cmd as i32 {
        return read(&descriptor.cmd);
    }
    let (table, symbol) = match descriptor.path.as_slice() {
        [table] => (table.clone(), None),
        [table, symbol] => (table.clone(), Some(symbol.clone())),
        _ => {
            let hint = "a path is a table, or a table and a symbol";
            return Err(Status::invalid_argument(hint));
        }
    };
    Ok(Wish {
        table,
        symbol,
        from: 0,
    })
}

fn refused<T>(what: &str) -> Result<Response<T>, Status> {
    Err(Status::unimplemented(format!("{what} is not offered here")))
}

#[tonic::async_trait]
impl FlightService for Door {
    type HandshakeStream = Answer<HandshakeResponse>;
    type ListFlightsStream = Answer<FlightInfo>;
    type DoGetStream = Answer<FlightData>;
    type DoPutStream = Answer<PutResult>;
    type DoExchangeStream = Answer<FlightData>;
    type DoActionStream = Answer<arrow_flight::Result>;
    type ListActionsStream = Answer<ActionType>;

    async fn list_flights(
        &self,
        _criteria: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        let infos = Table::ALL.map(|table| {
            let descriptor = FlightDescriptor::new_path(vec![table.name().to_owned()]);
            self.info(&wish(&descriptor)?, descriptor)
        });
        Ok(Response::new(stream::iter(infos).boxed()))
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let descriptor = request.into_inner();
        let wish = wish(&descriptor)?;
        Ok(Response::new(self.info(&wish, descriptor)?))
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        let query = self.query(wish(request.get_ref())?)?;
        let schema = Batches::new(Arc::clone(&self.app), query).schema();
        let options = IpcWriteOptions::default();
        let message = IpcMessage::try_from(SchemaAsIpc::new(&schema, &options));
        let IpcMessage(schema) = message.map_err(|e| Status::internal(e.to_string()))?;
        Ok(Response::new(SchemaResult { schema }))
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        let query = self.query(read(&request.get_ref().ticket)?)?;
        let batches = Batches::new(Arc::clone(&self.app), query);
        let builder = FlightDataEncoderBuilder::new().with_schema(batches.schema());
        let batches = batches.map(|batch| batch.map_err(FlightError::from));
        let data = builder.build(stream::iter(batches));
        Ok(Response::new(data.map_err(Status::from).boxed()))
    }

    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        refused("Handshake")
    }

    async fn poll_flight_info(
        &self,
        _request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        refused("PollFlightInfo")
    }

    async fn do_put(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        refused("DoPut")
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        refused("DoExchange")
    }

    async fn do_action(
        &self,
        _request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        refused("DoAction")
    }

    async fn list_actions(
        &self,
        _request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(stream::empty().boxed()))
    }
}
