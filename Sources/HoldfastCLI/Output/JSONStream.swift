internal import HoldfastModel
internal import HoldfastReport

/// A JSON document on standard output whose last value is an array, written while its elements come: each is on a line
/// of its own. An error after the first element becomes the end of the document; before it, nothing is written.
final class JSONStream {
  private let opening: String
  private var isEmpty = true

  private init(_ opening: String) { self.opening = opening }

  /// Writes a document.
  /// - Parameters:
  ///   - head: the keys before the array; must be encoded as an object.
  ///   - array: the key of the array.
  ///   - body: adds the elements.
  static func write(_ head: some Encodable, array: String, _ body: (JSONStream) throws -> Void) throws {
    let stream = JSONStream(try JSONText.opening(head, array: array))
    do {
      try body(stream)
    } catch  where !stream.isEmpty {
      Console.output(try JSONText.closing(failure: describe(error), isEmpty: false))
      throw error
    }
    if stream.isEmpty { stream.begin() }
    Console.output(JSONText.closing(isEmpty: stream.isEmpty))
  }

  /// Writes one element.
  func add(_ element: some Encodable) throws {
    let text = try JSONText.element(element, isFirst: isEmpty)
    if isEmpty { begin() }
    isEmpty = false
    Console.outputFragment(text)
  }

  private func begin() {
    Console.noteJSON()
    Console.outputFragment(opening)
  }
}
