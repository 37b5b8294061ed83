//! Tokens. Only the hash of a secret is ever stored.

use trapline_core::{
    Result, TokenId,
    catalog::{NewToken, Token},
    ports::{OffsetPage, Total},
};

use super::{PostgresStore, bounds, store_error};
use crate::rows;

impl PostgresStore {
    pub(super) async fn insert_token(&self, new: &NewToken) -> Result<Token> {
        let mut conn = self.side().acquire().await.map_err(store_error)?;
        let now = self.now(&mut conn).await.map_err(store_error)?;
        let row = sqlx::query(
            "INSERT INTO tokens (name, role, project_id, prefix, hash, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             RETURNING id, name, role, project_id, prefix, created_at, expires_at",
        )
        .bind(&new.name)
        .bind(new.role.as_str())
        .bind(new.project_id.map(|p| p.0))
        .bind(&new.prefix)
        .bind(new.hash.as_slice())
        .bind(now.0)
        .bind(new.expires_at.map(|t| t.0))
        .fetch_one(&mut *conn)
        .await
        .map_err(store_error)?;
        rows::token(&row).map_err(store_error)
    }

    pub(super) async fn find_token(&self, hash: &[u8; 32]) -> Result<Option<Token>> {
        let row = sqlx::query(
            "SELECT id, name, role, project_id, prefix, created_at, expires_at FROM tokens WHERE hash = $1",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.pool())
        .await
        .map_err(store_error)?;
        row.as_ref().map(rows::token).transpose().map_err(store_error)
    }

    pub(super) async fn token_page(&self, page: OffsetPage) -> Result<Total<Token>> {
        let (limit, offset) = bounds(page);
        let count = self
            .count("SELECT COUNT(*) FROM tokens WHERE $1::bigint IS NULL", None)
            .await?;
        let rows = sqlx::query(
            "SELECT id, name, role, project_id, prefix, created_at, expires_at FROM tokens
             ORDER BY id LIMIT $1 OFFSET $2",
        )
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.side())
        .await
        .map_err(store_error)?;
        Ok(Total {
            rows: rows::all(&rows, rows::token).map_err(store_error)?,
            count,
        })
    }

    pub(super) async fn remove_token(&self, id: TokenId) -> Result<bool> {
        let mut tx = self.begin_side().await.map_err(store_error)?;
        // Its workers can't ask any more, and whose they were is not known from here on.
        sqlx::query("UPDATE workers SET pipelines = '{}' WHERE token_id = $1")
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(store_error)?;
        let done = sqlx::query("DELETE FROM tokens WHERE id = $1")
            .bind(id.0)
            .execute(&mut *tx)
            .await
            .map_err(store_error)?;
        tx.commit().await.map_err(store_error)?;
        Ok(done.rows_affected() > 0)
    }
}
