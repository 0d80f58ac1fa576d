/// Takes a text in double quotes from the beginning; one that is doubled within stands for itself.
///
/// - Returns: What stands between them; nil where `rest` does not begin with a quote, or none closes it.
public func takeQuoted(_ rest: inout Substring) -> String? {
    guard rest.popFirst() == "\"" else { return nil }
    var text = ""
    while let character = rest.popFirst() {
        guard character == "\"" else {
            text.append(character)
            continue
        }
        guard rest.first == "\"" else { return text }
        text.append(rest.removeFirst())
    }
    return nil
}
