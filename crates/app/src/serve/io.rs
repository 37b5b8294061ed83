//! A socket that notes what happens on it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::Connection;

/// The socket of a connection. When it is dropped, the connection gets it back, to hear how its client took the end.
pub(super) struct Watched {
    stream: Option<TcpStream>,
    connection: Connection,
}

impl Watched {
    pub(super) fn new(stream: TcpStream, connection: Connection) -> Self {
        Self {
            stream: Some(stream),
            connection,
        }
    }

    fn with<T>(
        &mut self,
        poll: impl FnOnce(Pin<&mut TcpStream>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.stream {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.connection.give_socket(stream);
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let room = buffer.remaining() > 0;
        let done = self.with(|stream| stream.poll_read(cx, buffer));
        match &done {
            Poll::Ready(Ok(())) => match buffer.filled().len() - before {
                0 if room => self.connection.read_ended(),
                bytes => self.connection.read(bytes),
            },
            Poll::Ready(Err(_)) => self.connection.broke(),
            Poll::Pending => {}
        }
        done
    }
}

impl Watched {
    fn note_write(&self, done: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &done {
            Poll::Ready(Ok(bytes)) => self.connection.wrote(*bytes),
            Poll::Ready(Err(_)) => self.connection.broke(),
            Poll::Pending => self.connection.write_waits(),
        }
        done
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = self.with(|stream| stream.poll_write(cx, bytes));
        self.note_write(done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = self.with(|stream| stream.poll_write_vectored(cx, slices));
        self.note_write(done)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}
