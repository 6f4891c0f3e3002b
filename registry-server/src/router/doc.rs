//! What a route says about itself, from which the OpenAPI description is made.
//!
//! Every route of the table has one, so no route can be added without it. What all routes
//! of a sort share (a body that is too large, a missing token) is added by
//! [`super::openapi`] and not repeated here.

use axum::http::StatusCode;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Code;

/// What a route says about itself.
#[derive(Clone)]
pub(crate) struct Doc {
    pub(super) summary: &'static str,
    pub(super) query: Vec<Parameter>,
    pub(super) body: Option<BodyDoc>,
    pub(super) answers: Vec<AnswerDoc>,
    pub(super) refusals: Vec<Code>,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

/// What a route takes.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum BodyDoc {
    /// JSON of the schema with this name.
    Json(String),
    /// Bytes.
    Bytes,
}

/// One answer that is no refusal.
#[derive(Clone)]
pub(super) struct AnswerDoc {
    pub(super) status: StatusCode,
    pub(super) says: &'static str,
    /// Content types, each with the name of its schema where it is JSON of ours.
    pub(super) media: Vec<(&'static str, Option<String>)>,
}

/// Begins the description of a route.
pub(crate) const fn doc(summary: &'static str) -> Doc {
    Doc {
        summary,
        query: Vec::new(),
        body: None,
        answers: Vec::new(),
        refusals: Vec::new(),
        schemas: Vec::new(),
    }
}

impl Doc {
    /// It reads these parameters from the query.
    pub(crate) fn query<T: IntoParams>(mut self) -> Self {
        self.query
            .extend(T::into_params(|| Some(ParameterIn::Query)));
        self.refuses(&[Code::BadRequest])
    }

    /// It takes a JSON body.
    pub(crate) fn takes<T: ToSchema>(mut self) -> Self {
        self.body = Some(BodyDoc::Json(self.named::<T>()));
        self.refuses(&[
            Code::BadRequest,
            Code::ContentType,
            Code::BodyTooLarge,
            Code::BodyIncomplete,
            Code::RequestTimeout,
        ])
    }

    /// It takes bytes.
    pub(crate) fn takes_bytes(mut self) -> Self {
        self.body = Some(BodyDoc::Bytes);
        self.refuses(&[
            Code::BodyTooLarge,
            Code::BodyIncomplete,
            Code::RequestTimeout,
        ])
    }

    /// It answers 200 with JSON.
    pub(crate) fn gives<T: ToSchema>(self) -> Self {
        self.gives_as::<T>(StatusCode::OK, "done")
    }

    /// It answers with JSON under another status.
    pub(crate) fn gives_as<T: ToSchema>(mut self, status: StatusCode, says: &'static str) -> Self {
        let schema = self.named::<T>();
        self.answer(status, says, &["application/json"], Some(&schema))
    }

    /// It answers 200 with text or JSON that is described elsewhere.
    pub(crate) fn gives_text(self, media: &[&'static str]) -> Self {
        self.answer(StatusCode::OK, "the document", media, None)
    }

    /// It answers in this content type too, where `Accept` names it.
    pub(crate) fn also_gives(mut self, media: &'static str) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.media.push((media, None));
        }
        self
    }

    /// It answers without a body.
    pub(crate) fn gives_nothing(self, status: StatusCode, says: &'static str) -> Self {
        self.answer(status, says, &[], None)
    }

    /// It answers with a file: whole, a part of it, or that the client has it.
    pub(crate) fn gives_file(self, media: &[&'static str]) -> Self {
        self.answer(StatusCode::OK, "the file", media, None)
            .answer(
                StatusCode::PARTIAL_CONTENT,
                "the range that was asked for",
                media,
                None,
            )
            .gives_nothing(StatusCode::NOT_MODIFIED, "the client has it")
            .refuses(&[Code::NotFound, Code::RangeNotSatisfiable])
    }

    /// It may refuse with these codes, beyond those of every route of its sort.
    pub(crate) fn refuses(mut self, codes: &[Code]) -> Self {
        self.refusals.extend(codes);
        self
    }

    fn answer(
        mut self,
        status: StatusCode,
        says: &'static str,
        media: &[&'static str],
        schema: Option<&str>,
    ) -> Self {
        let schema = schema.map(str::to_owned);
        self.answers.push(AnswerDoc {
            status,
            says,
            media: media.iter().map(|it| (*it, schema.clone())).collect(),
        });
        self
    }

    /// Remembers a schema and everything that it refers to; gives its name.
    fn named<T: ToSchema>(&mut self) -> String {
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), T::schema()));
        T::schemas(&mut self.schemas);
        name
    }
}
