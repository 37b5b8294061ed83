//! Lists as parameters.

use rusqlite::types::{ToSql, ToSqlOutput};
use serde::Serialize;
use sqlx::{
    Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo},
};

/// A list as one parameter: SQLite reads it as JSON (`json_each`), PostgreSQL as an array.
pub(crate) struct List<L>(pub(crate) L);

impl<L> Type<Sqlite> for List<L> {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl<'q, L: Serialize> Encode<'q, Sqlite> for List<L> {
    fn encode_by_ref(&self, values: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <String as Encode<'q, Sqlite>>::encode(serde_json::to_string(&self.0)?, values)
    }
}

impl<L: Serialize> ToSql for List<L> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0);
        text.map(ToSqlOutput::from)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
    }
}

impl<L: Type<Postgres>> Type<Postgres> for List<L> {
    fn type_info() -> PgTypeInfo {
        L::type_info()
    }
}

impl<'q, L: Encode<'q, Postgres>> Encode<'q, Postgres> for List<L> {
    fn encode_by_ref(&self, values: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(values)
    }
}
