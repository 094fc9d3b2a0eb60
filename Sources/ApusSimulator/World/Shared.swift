/// A value that many look at and nobody changes, such as the tokens of a message.
///
/// Columns are seven arrays; whoever takes them out of a message would count a reference to each.
final class Shared<Value: Sendable>: Sendable {
    let value: Value

    init(_ value: consuming Value) {
        self.value = value
    }
}
