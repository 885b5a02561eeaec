//! What a product is: attributes and the tree of categories. Both only decorate, so a row that cannot be read
//! is left out and takes nothing with it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::number::Int;
use crate::error::CallFailure;
use crate::json::{self, LeftOut, RawRows};

/// `POST /v4/product/info/attributes`, request.
#[derive(Serialize)]
pub(in crate::ozon) struct AttributesRequest<'a> {
    pub(in crate::ozon) filter: Filter<'a>,
    pub(in crate::ozon) limit: usize,
    pub(in crate::ozon) last_id: &'a str,
    pub(in crate::ozon) sort_dir: &'static str,
}

/// One kind of ids a request, at most 1000.
#[derive(Serialize)]
pub(in crate::ozon) struct Filter<'a> {
    pub(in crate::ozon) product_id: &'a [String],
    pub(in crate::ozon) visibility: &'static str,
}

/// `POST /v1/description-category/tree`, request.
#[derive(Serialize)]
pub(in crate::ozon) struct Language {
    pub(in crate::ozon) language: &'static str,
}

#[derive(Deserialize)]
struct Listed {
    result: RawRows,
}

/// The attributes of one product.
#[derive(Debug, Deserialize)]
pub(in crate::ozon) struct ProductAttributes {
    /// The `product_id`.
    pub(in crate::ozon) id: Int,
    pub(in crate::ozon) attributes: Vec<Attribute>,
}

#[derive(Debug, Deserialize)]
pub(in crate::ozon) struct Attribute {
    pub(in crate::ozon) id: Int,
    pub(in crate::ozon) values: Vec<AttributeValue>,
}

#[derive(Debug, Deserialize)]
pub(in crate::ozon) struct AttributeValue {
    pub(in crate::ozon) value: Option<String>,
}

/// A category with what is below it, or a type of goods, which is a leaf.
#[derive(Debug, Deserialize)]
pub(in crate::ozon) struct Branch {
    pub(in crate::ozon) description_category_id: Option<Int>,
    pub(in crate::ozon) category_name: Option<String>,
    pub(in crate::ozon) type_id: Option<Int>,
    pub(in crate::ozon) type_name: Option<String>,
    pub(in crate::ozon) children: Option<Vec<Branch>>,
}

/// Products with their attributes, and how many rows the answer has.
pub(in crate::ozon) fn attributes(body: &[u8]) -> Result<(Vec<ProductAttributes>, usize), CallFailure> {
    listed(body)
}

/// The branches at the root, and how many rows the answer has.
pub(in crate::ozon) fn tree(body: &[u8]) -> Result<(Vec<Branch>, usize), CallFailure> {
    listed(body)
}

fn listed<T: DeserializeOwned>(body: &[u8]) -> Result<(Vec<T>, usize), CallFailure> {
    let Listed { result } = json::decode(body)?;
    let rows = result.len();
    let read = result.read("result[]", &[], &mut LeftOut::default(), Ok);
    Ok((read, rows))
}
