//! Lists as parameters.

use serde::Serialize;
use sqlx::{
    Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo},
};

/// A list as one parameter: SQLite reads it as JSON (`json_each`), PostgreSQL as an array.
pub(crate) struct List<'a, T>(pub(crate) &'a [T]);

impl<T> Type<Sqlite> for List<'_, T> {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }
}

impl<'q, T: Serialize> Encode<'q, Sqlite> for List<'_, T> {
    fn encode_by_ref(&self, values: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        <String as Encode<'q, Sqlite>>::encode(serde_json::to_string(self.0)?, values)
    }
}

impl<'a, T> Type<Postgres> for List<'a, T>
where
    &'a [T]: Type<Postgres>,
{
    fn type_info() -> PgTypeInfo {
        <&'a [T] as Type<Postgres>>::type_info()
    }
}

impl<'q, 'a, T> Encode<'q, Postgres> for List<'a, T>
where
    &'a [T]: Encode<'q, Postgres>,
{
    fn encode_by_ref(&self, values: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(values)
    }
}
