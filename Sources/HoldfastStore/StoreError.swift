package import HoldfastModel

/// What a store refuses.
package enum StoreError: OperatorError, Equatable {
  case notFound(key: String, location: String)
  case alreadyExists(key: String, location: String)
  case invalidKey(String)

  package var message: String {
    switch self {
    case .notFound(let key, let location): "\(key) is missing in \(location)"
    case .alreadyExists(let key, let location): "\(key) exists already in \(location)"
    case .invalidKey(let key): "\"\(Path(key))\" is not a possible key of an object"
    }
  }

  package var hint: String? {
    switch self {
    case .notFound: "Run `holdfast verify` to see what is missing."
    case .alreadyExists: "Another run wrote it at the same time: run the same command again."
    case .invalidKey: nil
    }
  }

  package var exitStatus: ExitStatus {
    switch self {
    case .notFound: .dataLoss
    case .alreadyExists, .invalidKey: .failed
    }
  }
}
