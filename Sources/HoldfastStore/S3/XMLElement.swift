internal import CExpat

/// An element of an XML document: its text and its child elements. Attributes are not kept.
package final class XMLElement {
  /// The most levels of a document. Answers of S3 have four.
  private static let depthMax = 16
  /// The most elements of a document. Each takes far more memory than its few bytes of text. A listing of a thousand
  /// versions has 12,000.
  private static let elementsMax = 100_000

  package let name: String
  package private(set) var children: [XMLElement] = []
  private var bytes: [UInt8] = []

  private init(_ name: String) { self.name = name }

  /// The text between its tags, without the text of its child elements.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The first child element with a name.
  package subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

  /// Returns all child elements with a name.
  package func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

  /// True if documents can be parsed, because expat is installed.
  package static var isAvailable: Bool { holdfast_expat_load() }

  /// The version of the library; `nil` if it is not installed.
  package static var libraryVersion: String? { holdfast_expat_version().map { String(cString: $0) } }

  /// Returns the outermost element of a document; `nil` if the document is not well-formed.
  package static func parse(_ document: [UInt8]) -> XMLElement? {
    guard isAvailable else { return nil }
    let reading = Reading()
    let isSound = document.withUnsafeBytes { bytes in
      holdfast_xml_parse(
        bytes.baseAddress, bytes.count, Unmanaged.passUnretained(reading).toOpaque(),
        { context, name in Reading.of(context)?.begin(name.map { String(cString: $0) } ?? "") ?? false },
        { context, _ in Reading.of(context)?.end() },
        { context, text, count in Reading.of(context)?.add(UnsafeRawBufferPointer(start: text, count: Int(count))) })
    }
    return isSound ? reading.outermost : nil
  }

  /// The state of the parser: the elements that are open at a point of the document.
  private final class Reading {
    var outermost: XMLElement?
    private var elements = 0
    private var open: [XMLElement] = []

    static func of(_ context: UnsafeMutableRawPointer?) -> Reading? {
      context.map { Unmanaged<Reading>.fromOpaque($0).takeUnretainedValue() }
    }

    /// - Returns: true if the document may go on.
    func begin(_ name: String) -> Bool {
      elements += 1
      guard open.count < XMLElement.depthMax, elements <= XMLElement.elementsMax else { return false }
      let element = XMLElement(name)
      if open.isEmpty { outermost = element }
      open.last?.children.append(element)
      open.append(element)
      return true
    }

    /// Ends an element. The parser may also end one that was refused.
    func end() { _ = open.popLast() }

    func add(_ text: UnsafeRawBufferPointer) { open.last?.bytes.append(contentsOf: text) }
  }
}
