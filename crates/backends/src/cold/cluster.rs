//! The cluster's row, as far as it is only read.

use trapline_core::{Error, Result, handout::lease::Gap, receipt::ReceiptKey};

use super::Cold;
use crate::{
    rows,
    sql::{Conn, first, sql},
};

/// The key that signs receipts.
pub(crate) async fn receipt_key<S: Cold>(store: &S) -> sqlx::Result<Result<ReceiptKey>> {
    let mut conn = store.worker_reader().await?;
    let key: Vec<u8> = conn.one(sql!("cluster/receipt_key.sql"), &[], first).await?;
    let key = key.try_into().map(ReceiptKey::new);
    Ok(key.map_err(|_| Error::internal("the receipt key has not 32 bytes")))
}

/// The last gap, if there was one.
pub(crate) async fn gap(conn: &mut impl Conn) -> sqlx::Result<Option<Gap>> {
    conn.one(sql!("cluster/gap.sql"), &[], rows::gap).await
}
