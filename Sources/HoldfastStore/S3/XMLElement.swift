internal import CExpat

/// An element of an XML document: its text and the elements in it. Attributes are not kept.
package final class XMLElement {
  /// Deeper documents are refused. Answers of S3 have four levels.
  private static let depthMax = 16
  /// A document with more elements is refused: each takes far more memory than its few bytes of text. A listing of a
  /// thousand versions has 12,000.
  private static let elementsMax = 100_000

  package let name: String
  package private(set) var children: [XMLElement] = []
  private var bytes: [UInt8] = []

  private init(_ name: String) { self.name = name }

  /// The text between its tags, without that of the elements in it.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The first element with this name in it.
  package subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

  /// All elements with this name in it.
  package func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

  /// Whether documents can be parsed: expat is installed.
  package static var isAvailable: Bool { holdfast_expat_load() }

  /// The version of the library; `nil` when it is not installed.
  package static var libraryVersion: String? { holdfast_expat_version().map { String(cString: $0) } }

  /// The outermost element of a document; `nil` when the document is not well-formed.
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

  /// The elements that are open at a point of the document.
  private final class Reading {
    var outermost: XMLElement?
    private var elements = 0
    private var open: [XMLElement] = []

    static func of(_ context: UnsafeMutableRawPointer?) -> Reading? {
      context.map { Unmanaged<Reading>.fromOpaque($0).takeUnretainedValue() }
    }

    /// - Returns: whether the document may go on.
    func begin(_ name: String) -> Bool {
      elements += 1
      guard open.count < XMLElement.depthMax, elements <= XMLElement.elementsMax else { return false }
      let element = XMLElement(name)
      if open.isEmpty { outermost = element }
      open.last?.children.append(element)
      open.append(element)
      return true
    }

    /// The parser may end an element that was refused.
    func end() { _ = open.popLast() }

    func add(_ text: UnsafeRawBufferPointer) { open.last?.bytes.append(contentsOf: text) }
  }
}
