internal import CYAML

/// libyaml's parser, reading bytes in memory.
final class YAMLEvents {
  struct Event {
    enum Kind {
      case streamStart, streamEnd, documentStart, documentEnd
      case alias(String)
      case scalar(String, isPlain: Bool)
      case sequenceStart, mappingStart
      /// The end of a sequence or a mapping.
      case end
    }

    let kind: Kind
    let line: Int
    let column: Int
    var anchor: String?
    var tag: String?
  }

  struct Failure: Error {
    let problem: String
    let line: Int
    let column: Int
    /// Set when only the offset in bytes is known.
    let offset: Int?
  }

  private let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
  private let input: UnsafeMutableBufferPointer<UInt8>
  private let isReady: Bool

  init(_ bytes: [UInt8]) {
    input = .allocate(capacity: max(1, bytes.count))
    _ = input.initialize(from: bytes)
    parser.initialize(to: yaml_parser_t())
    isReady = yaml_parser_initialize(parser) == 1
    guard isReady else { return }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
  }

  deinit {
    if isReady { yaml_parser_delete(parser) }
    parser.deallocate()
    input.deallocate()
  }

  func next() -> Result<Event, Failure> {
    guard isReady else { return .failure(Failure(problem: "there is no memory left", line: 1, column: 1, offset: nil)) }
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { return .failure(failure) }
    defer { yaml_event_delete(&event) }
    return .success(Self.event(event))
  }

  private var failure: Failure {
    let state = parser.pointee
    var problem = state.problem.map { String(cString: $0) } ?? "there is no memory left"
    if let context = state.context {
      problem += ", \(String(cString: context)) in line \(state.context_mark.line + 1)"
    }
    return Failure(
      problem: problem, line: Int(state.problem_mark.line) + 1, column: Int(state.problem_mark.column) + 1,
      offset: state.error == YAML_READER_ERROR ? Int(state.problem_offset) : nil)
  }

  private static func event(_ raw: yaml_event_t) -> Event {
    let (line, column) = (Int(raw.start_mark.line) + 1, Int(raw.start_mark.column) + 1)
    switch raw.type {
    case YAML_STREAM_START_EVENT: return Event(kind: .streamStart, line: line, column: column)
    case YAML_DOCUMENT_START_EVENT: return Event(kind: .documentStart, line: line, column: column)
    case YAML_DOCUMENT_END_EVENT: return Event(kind: .documentEnd, line: line, column: column)
    case YAML_ALIAS_EVENT:
      return Event(kind: .alias(text(raw.data.alias.anchor) ?? ""), line: line, column: column)
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      return Event(
        kind: .scalar(String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE),
        line: line, column: column, anchor: text(scalar.anchor), tag: text(scalar.tag))
    case YAML_SEQUENCE_START_EVENT:
      let start = raw.data.sequence_start
      return Event(
        kind: .sequenceStart, line: line, column: column, anchor: text(start.anchor), tag: text(start.tag))
    case YAML_MAPPING_START_EVENT:
      let start = raw.data.mapping_start
      return Event(
        kind: .mappingStart, line: line, column: column, anchor: text(start.anchor), tag: text(start.tag))
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return Event(kind: .end, line: line, column: column)
    default: return Event(kind: .streamEnd, line: line, column: column)
    }
  }

  private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    pointer.map { String(decodingCString: $0, as: UTF8.self) }
  }
}
