//! The rest of the Bot API: every method that `frankenstein` knows, over our client. They take no turns, and
//! their answers are read whole, so that one new value in an answer makes it an error: what is sent often has
//! a method of its own in [`super`].

use std::fmt::Debug;
use std::path::PathBuf;
use std::pin::Pin;

use frankenstein::AsyncTelegramApi;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Telegram, endpoint};
use crate::error::{CallError, CallFailure};
use crate::json;
use crate::telegram::error::TelegramError;

/// What the trait's methods return.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, TelegramError>> + Send + 'a>>;

impl AsyncTelegramApi for Telegram {
    type Error = TelegramError;

    fn request<'client, 'method, 'answer, Params, Output>(
        &'client self,
        method: &'method str,
        params: Option<Params>,
    ) -> Answer<'answer, Output>
    where
        'client: 'answer,
        'method: 'answer,
        Self: 'answer,
        Params: Serialize + Debug + Send + 'answer,
        Output: DeserializeOwned + 'answer,
    {
        let call = self.call(method).and_then(|call| match &params {
            Some(params) => Ok(call.json(params)?),
            None => Ok(call),
        });
        Box::pin(async move {
            let call = call?;
            let body = self.exchange(&call).await?;
            json::decode(&body).map_err(|failure| CallError::new(call.endpoint(), failure).into())
        })
    }

    /// Refused: files are sent from memory, with [`Telegram::send_document`] and [`Telegram::send_photo`],
    /// so that no path can choose what leaves.
    fn request_with_form_data<'client, 'method, 'file, 'answer, Params, Output>(
        &'client self,
        method: &'method str,
        _params: Params,
        _files: Vec<(&'file str, PathBuf)>,
    ) -> Answer<'answer, Output>
    where
        'client: 'answer,
        'method: 'answer,
        'file: 'answer,
        Self: 'answer,
        Params: Serialize + Debug + Send + 'answer,
        Output: DeserializeOwned + 'answer,
    {
        let what = "files are not sent by their path";
        let error = CallError::new(endpoint(method), CallFailure::Unsendable { what });
        Box::pin(async move { Err(error.into()) })
    }
}
