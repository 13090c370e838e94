internal import FoundationEssentials
internal import HoldfastModel

/// A JSON value.
enum JSONValue: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  init(parsing bytes: [UInt8]) throws { self = try JSONDecoder().decode(JSONValue.self, from: Data(bytes)) }

  var object: [String: JSONValue]? { if case .object(let value) = self { value } else { nil } }
  var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }

  /// True if it has a type of JSON Schema.
  func has(type: String) -> Bool {
    switch self {
    case .null: type == "null"
    case .bool: type == "boolean"
    case .number(let value): type == "number" || type == "integer" && value.rounded() == value
    case .string: type == "string"
    case .array: type == "array"
    case .object: type == "object"
    }
  }
}

/// The files of docs/schemas. They use the part of JSON Schema 2020-12 that this type knows; a keyword that it does not
/// know is a problem, so that none is passed over.
package struct JSONSchemas: Sendable {
  package static let project = JSONSchemas(in: Tool.root.appending("docs/schemas"))

  private static let ignored: Set = ["$schema", "$defs", "title", "description"]
  private let files: [String: JSONValue]

  init(in directory: Path) {
    var files: [String: JSONValue] = [:]
    for name in TestFiles.names(in: directory) where name.hasSuffix(".json") {
      files[String(name.dropLast(5))] = try? JSONValue(parsing: TestFiles.read(directory.appending(name)) ?? [])
    }
    self.files = files
  }

  /// The names of the files, without `.json`.
  package var names: Set<String> { Set(files.keys) }

  /// Returns what is wrong with a document; nothing if it is as the file demands.
  package func problems(of bytes: [UInt8], by name: String) -> [String] {
    guard let schema = files[name] else { return ["there is no docs/schemas/\(name).json that can be read"] }
    guard let value = try? JSONValue(parsing: bytes) else { return ["it is not one JSON document"] }
    return judge(value, schema, in: name, at: "").problems
  }

  private struct Judgement {
    var problems: [String] = []
    /// The keys of an object that a schema has named.
    var known: Set<String> = []

    mutating func add(_ other: Judgement) {
      problems += other.problems
      known.formUnion(other.known)
    }
  }

  private func judge(_ value: JSONValue, _ schema: JSONValue, in file: String, at place: String) -> Judgement {
    guard let keywords = schema.object else { return Judgement(problems: ["\(place): the schema is not an object"]) }
    var result = Judgement()
    for (keyword, rule) in keywords.sorted(by: { $0.key < $1.key }) {
      switch keyword {
      case "$ref": result.add(follow(rule, value, in: file, at: place))
      case "allOf": for part in rule.array ?? [] { result.add(judge(value, part, in: file, at: place)) }
      case "anyOf":
        // What comes nearest says best what is wrong.
        let parts = (rule.array ?? []).map { judge(value, $0, in: file, at: place) }
        result.add(parts.min { $0.problems.count < $1.problems.count } ?? Judgement())
      case "type":
        let types = rule.array?.compactMap(\.string) ?? [rule.string ?? ""]
        if !types.contains(where: value.has) { result.problems.append("\(place): is no \(types)") }
      case "enum": if rule.array?.contains(value) != true { result.problems.append("\(place): is none of \(rule)") }
      case "const": if rule != value { result.problems.append("\(place): is not \(rule)") }
      case "required":
        guard let object = value.object else { break }
        for key in (rule.array ?? []).compactMap(\.string) where object[key] == nil {
          result.problems.append("\(place): \(key) is missing")
        }
      case "items":
        for (index, element) in (value.array ?? []).enumerated() {
          result.problems += judge(element, rule, in: file, at: "\(place)[\(index)]").problems
        }
      case "properties":
        for (key, part) in value.object ?? [:] {
          guard let rule = rule.object?[key] else { continue }
          result.known.insert(key)
          result.problems += judge(part, rule, in: file, at: "\(place).\(key)").problems
        }
      case "additionalProperties", "unevaluatedProperties": break
      case _ where Self.ignored.contains(keyword): break
      default: result.problems.append("\(place): the schema says \(keyword), which is not known here")
      }
    }
    if let rest = keywords["additionalProperties"] ?? keywords["unevaluatedProperties"] {
      for (key, part) in value.object ?? [:] where !result.known.contains(key) {
        result.known.insert(key)
        if rest == .bool(false) {
          result.problems.append("\(place): \(key) is not documented")
        } else {
          result.problems += judge(part, rest, in: file, at: "\(place).\(key)").problems
        }
      }
    }
    return result
  }

  /// Judges by another schema, which a reference names: `FILE.json#/$defs/NAME`, or `#/$defs/NAME`.
  private func follow(_ reference: JSONValue, _ value: JSONValue, in file: String, at place: String) -> Judgement {
    let parts = (reference.string ?? "").split(separator: "#/$defs/", omittingEmptySubsequences: false)
    let other = parts.first.flatMap { $0.isEmpty ? nil : String($0.replacing(".json", with: "")) } ?? file
    guard parts.count == 2, let schema = files[other]?.object?["$defs"]?.object?[String(parts[1])] else {
      return Judgement(problems: ["\(place): the schema refers to \(reference), which is not there"])
    }
    return judge(value, schema, in: other, at: place)
  }
}
