//! Bytes of a SentencePiece `.model` file to its pieces and settings: the few fields that encoding needs of the protobuf
//! message `ModelProto` (google/sentencepiece, `src/sentencepiece_model.proto`). Every length is checked against what is left.

/// What is wrong with a model file, for the message of [`crate::TextError::Tokenizer`].
pub(crate) type Reason = String;

/// What a piece is for; numbers as in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PieceKind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// One entry of the vocabulary.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) score: f32,
    pub(crate) kind: PieceKind,
}

/// How text is cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Unigram,
    Bpe,
}

/// A model file's content.
#[expect(clippy::struct_excessive_bools, reason = "the message has these flags")]
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) algorithm: Algorithm,
    pub(crate) byte_fallback: bool,
    pub(crate) space_as_suffix: bool,
    pub(crate) bos: String,
    pub(crate) eos: String,
    pub(crate) pad: String,
    pub(crate) unknown_surface: String,
    pub(crate) charsmap: Vec<u8>,
    pub(crate) dummy_prefix: bool,
    pub(crate) squeeze_spaces: bool,
    pub(crate) escape_spaces: bool,
}

/// A field's value: the four wire types that the message may use.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Word([u8; 4]),
    Long,
}

/// The fields of one message, front to back.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Reason> {
        let (taken, rest) =
            self.rest.split_at_checked(count).ok_or("a field goes beyond the end of the file")?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?.first().copied().unwrap_or(0);
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number with more than 64 bits".to_owned())
    }

    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, Reason> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => {
                self.take(8)?;
                Value::Long
            }
            2 => {
                let length = usize::try_from(self.varint()?)
                    .map_err(|_| "a field goes beyond the end of the file")?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                let word = self.take(4)?.try_into().map_err(|_| "a short word".to_owned())?;
                Value::Word(word)
            }
            other => return Err(format!("wire type {other} is none of protobuf's")),
        };
        Ok(Some((key >> 3, value)))
    }
}

fn text(bytes: &[u8]) -> Result<String, Reason> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a name that is not UTF-8".to_owned())
}

fn piece(bytes: &[u8]) -> Result<Piece, Reason> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceKind::Normal };
    let mut fields = Fields { rest: bytes };
    while let Some(field) = fields.next()? {
        match field {
            (1, Value::Bytes(bytes)) => piece.text = text(bytes)?,
            (2, Value::Word(word)) => piece.score = f32::from_le_bytes(word),
            (3, Value::Number(kind)) => {
                piece.kind = match kind {
                    1 => PieceKind::Normal,
                    2 => PieceKind::Unknown,
                    3 => PieceKind::Control,
                    4 => PieceKind::UserDefined,
                    5 => PieceKind::Unused,
                    6 => PieceKind::Byte,
                    other => return Err(format!("piece type {other} is unknown")),
                }
            }
            _ => {}
        }
    }
    if piece.text.is_empty() || !piece.score.is_finite() {
        return Err("a piece without text or with a score that is no number".to_owned());
    }
    Ok(piece)
}

impl Model {
    fn trainer(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let mut fields = Fields { rest: bytes };
        while let Some(field) = fields.next()? {
            match field {
                (3, Value::Number(kind)) => {
                    self.algorithm = match kind {
                        1 => Algorithm::Unigram,
                        2 => Algorithm::Bpe,
                        3 => return Err("its algorithm `word` isn't supported".to_owned()),
                        4 => return Err("its algorithm `char` isn't supported".to_owned()),
                        other => return Err(format!("algorithm {other} is unknown")),
                    }
                }
                (24, Value::Number(flag)) => self.space_as_suffix = flag != 0,
                (35, Value::Number(flag)) => self.byte_fallback = flag != 0,
                (44, Value::Bytes(bytes)) => self.unknown_surface = text(bytes)?,
                (46, Value::Bytes(bytes)) => self.bos = text(bytes)?,
                (47, Value::Bytes(bytes)) => self.eos = text(bytes)?,
                (48, Value::Bytes(bytes)) => self.pad = text(bytes)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn normaliser(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let mut fields = Fields { rest: bytes };
        while let Some(field) = fields.next()? {
            match field {
                (2, Value::Bytes(bytes)) => self.charsmap = bytes.to_vec(),
                (3, Value::Number(flag)) => self.dummy_prefix = flag != 0,
                (4, Value::Number(flag)) => self.squeeze_spaces = flag != 0,
                (5, Value::Number(flag)) => self.escape_spaces = flag != 0,
                _ => {}
            }
        }
        Ok(())
    }

    /// A model without pieces, with the message's defaults.
    pub(crate) fn empty() -> Self {
        Self {
            pieces: Vec::new(),
            algorithm: Algorithm::Unigram,
            byte_fallback: false,
            space_as_suffix: false,
            bos: "<s>".to_owned(),
            eos: "</s>".to_owned(),
            pad: "<pad>".to_owned(),
            unknown_surface: " \u{2047} ".to_owned(),
            charsmap: Vec::new(),
            dummy_prefix: true,
            squeeze_spaces: true,
            escape_spaces: true,
        }
    }

    /// Reads a whole file.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Reason> {
        let mut model = Self::empty();
        let mut fields = Fields { rest: bytes };
        while let Some(field) = fields.next()? {
            match field {
                (1, Value::Bytes(bytes)) => model.pieces.push(piece(bytes)?),
                (2, Value::Bytes(bytes)) => model.trainer(bytes)?,
                (3, Value::Bytes(bytes)) => model.normaliser(bytes)?,
                _ => {}
            }
        }
        if model.pieces.is_empty() {
            return Err("it holds no pieces".to_owned());
        }
        if u32::try_from(model.pieces.len()).is_err() {
            return Err("it holds more pieces than ids".to_owned());
        }
        let unknown = model.pieces.iter().filter(|piece| piece.kind == PieceKind::Unknown).count();
        if unknown != 1 {
            return Err(format!("it holds {unknown} unknown pieces instead of one"));
        }
        Ok(model)
    }

    /// The id of a control piece.
    pub(crate) fn control(&self, text: &str) -> Option<u32> {
        let found = |piece: &Piece| piece.kind == PieceKind::Control && piece.text == text;
        self.pieces.iter().position(found).and_then(|at| u32::try_from(at).ok())
    }

    /// The id of the unknown piece.
    pub(crate) fn unknown(&self) -> u32 {
        let at = self.pieces.iter().position(|piece| piece.kind == PieceKind::Unknown);
        at.and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
    }
}
