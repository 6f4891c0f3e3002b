//! `GET /api/v1/openapi.json`: the route table as an OpenAPI document.
//!
//! It is made from the table that the router is made from, so it lists every route and
//! nothing else.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use provisioning_registry_api::openapi::{
    BundleNameText, HexText, KindText, NameText, TargetText, VersionText,
};
use provisioning_registry_api::problem::{PROBLEM_CONTENT_TYPE, Problem};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathItem,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, RefOr, Required, Response, ResponseBuilder,
    Schema,
};
use utoipa::{PartialSchema, ToSchema};

use super::doc::{AnswerDoc, BodyDoc};
use super::{Route, is_validated, table};
use crate::problem::Code;
use crate::rules::access::Action;

/// What the security scheme is called.
const TOKEN: &str = "token";

/// Characters of a path parameter that has no form of its own.
const WORD_CHARS_MAX: usize = 255;

/// What every route may be refused with.
const ALWAYS: [Code; 3] = [Code::BadRequest, Code::Internal, Code::Unavailable];
/// What a route that needs a token may be refused with.
const GUARDED: [Code; 9] = [
    Code::TokenMissing,
    Code::TokenInvalid,
    Code::TokenExpired,
    Code::TokenRevoked,
    Code::ScopeMissing,
    Code::PatternMissing,
    Code::TokenBound,
    Code::RoleMissing,
    Code::UserDisabled,
];

/// The description of every route.
pub(crate) fn document() -> OpenApi {
    let table = table();
    let mut schemas = BTreeMap::from([(Problem::name().into_owned(), Problem::schema())]);
    for route in &table {
        schemas.extend(route.doc.schemas.iter().cloned());
    }
    let components = ComponentsBuilder::new()
        .schemas_from_iter(schemas)
        .security_scheme(
            TOKEN,
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("`Authorization: Bearer <token>`"))
                    .build(),
            ),
        )
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("provisioning registry")
                .description(Some(
                    "Reading needs no token. Refusals are problem documents (RFC 9457) whose \
                     `code` is stable; each status lists the codes that it comes with.",
                ))
                .version(env!("CARGO_PKG_VERSION"))
                .build(),
        )
        .paths(paths(&table))
        .components(Some(components))
        .build()
}

/// A path as OpenAPI writes it.
pub(crate) fn path_template(path: &str) -> String {
    path.replace("{*", "{")
}

fn paths(table: &[Route]) -> Paths {
    let mut paths = Paths::new();
    for route in table {
        let item = paths.paths.entry(path_template(route.path)).or_default();
        item.merge_operations(PathItem::new(http_method(&route.method), operation(route)));
    }
    paths
}

fn http_method(method: &Method) -> HttpMethod {
    match *method {
        Method::POST => HttpMethod::Post,
        Method::PUT => HttpMethod::Put,
        Method::DELETE => HttpMethod::Delete,
        Method::PATCH => HttpMethod::Patch,
        _ => HttpMethod::Get,
    }
}

/// Whether no token is needed.
const fn is_open(action: Action) -> bool {
    matches!(action, Action::Read | Action::Exchange)
}

fn operation(route: &Route) -> Operation {
    let doc = &route.doc;
    let mut operation = OperationBuilder::new()
        .summary(Some(doc.summary))
        .operation_id(Some(operation_id(route)))
        .tag(tag(route.path));
    for parameter in path_parameters(route.path) {
        operation = operation.parameter(parameter);
    }
    for parameter in &doc.query {
        operation = operation.parameter(parameter.clone());
    }
    if let Some(body) = &doc.body {
        operation = operation.request_body(Some(request_body(body)));
    }
    if !is_open(route.action) {
        let none: [&str; 0] = [];
        operation = operation.security(SecurityRequirement::new(TOKEN, none));
    }
    for answer in &doc.answers {
        operation = operation.response(answer.status.as_str(), response(answer));
    }
    if is_validated(&route.method, route.path, route.action) {
        let known = ResponseBuilder::new()
            .description("the client has it")
            .build();
        operation = operation.response("304", known);
    }
    for (status, codes) in refusals(route) {
        operation = operation.response(status.as_str(), problem(&codes));
    }
    operation.build()
}

/// `GET /api/v1/search` is `get-api-v1-search`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.as_str().to_lowercase();
    for word in route
        .path
        .split(|it: char| !it.is_ascii_alphanumeric())
        .filter(|it| !it.is_empty())
    {
        id.push('-');
        id.push_str(word);
    }
    id
}

/// The chapter: what comes after `/api/v1/`, or that it is a file.
fn tag(path: &str) -> &str {
    match path.strip_prefix("/api/v1/") {
        Some(rest) => rest.split('/').next().unwrap_or(rest),
        None => "files",
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = Parameter> {
    let names = path
        .split('/')
        .filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'))
        .map(|it| it.trim_start_matches('*'));
    names.map(move |name| {
        let schema = match name {
            "kind" => KindText::schema(),
            "name" if path.contains("/bundles/") => BundleNameText::schema(),
            "name" if path.contains("{kind}") => NameText::schema(),
            "version" => VersionText::schema(),
            "target" => TargetText::schema(),
            "hex" => HexText::schema(),
            _ => word(),
        };
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(schema))
            .build()
    })
}

fn word() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(WORD_CHARS_MAX))
        .into()
}

fn request_body(body: &BodyDoc) -> utoipa::openapi::request_body::RequestBody {
    let (media, content) = match body {
        BodyDoc::Json(schema) => (
            "application/json",
            ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))),
        ),
        BodyDoc::Bytes => ("application/octet-stream", ContentBuilder::new()),
    };
    RequestBodyBuilder::new()
        .content(media, content.build())
        .required(Some(Required::True))
        .build()
}

fn response(answer: &AnswerDoc) -> Response {
    let mut response = ResponseBuilder::new().description(answer.says);
    for (media, schema) in &answer.media {
        let schema = schema.as_ref().map(Ref::from_schema_name);
        response = response.content(*media, ContentBuilder::new().schema(schema).build());
    }
    response.build()
}

/// Every refusal of a route, by status.
fn refusals(route: &Route) -> BTreeMap<StatusCode, BTreeSet<&'static str>> {
    let mut all: Vec<Code> = route.doc.refusals.clone();
    all.extend(ALWAYS);
    if route.path.starts_with("/api/") {
        all.push(Code::RateLimited);
    }
    if route.method != Method::GET {
        all.extend([Code::ReadOnly, Code::Blocked]);
    }
    if !is_open(route.action) {
        all.extend(GUARDED);
    }
    let mut by_status = BTreeMap::<StatusCode, BTreeSet<&'static str>>::new();
    for code in all {
        by_status
            .entry(code.status())
            .or_default()
            .insert(code.as_str());
    }
    by_status
}

fn problem(codes: &BTreeSet<&'static str>) -> Response {
    let list: Vec<String> = codes.iter().map(|it| format!("`{it}`")).collect();
    let schema = Ref::from_schema_name(Problem::name());
    ResponseBuilder::new()
        .description(list.join(", "))
        .content(
            PROBLEM_CONTENT_TYPE,
            ContentBuilder::new().schema(Some(schema)).build(),
        )
        .header(
            "x-request-id",
            Header::new(ObjectBuilder::new().schema_type(Type::String)),
        )
        .build()
}
