/// A value that is kept apart from what holds it: few holders have one, or it is large and rarely looked at.
///
/// Copies of the holder share it; a change puts another box in its place. An absent one takes eight bytes.
final class Boxed<Value: Sendable>: Sendable {
    /// The value.
    let value: Value

    /// Keeps a value.
    init(_ value: Value) {
        self.value = value
    }
}
