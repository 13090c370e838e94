internal import Glibc

/// The functions of SQLite that a drill uses (sqlite.org/c3ref), from the library of the machine, which is loaded when
/// the first database is opened.
struct SQLiteLibrary: Sendable {
  typealias Connection = OpaquePointer
  typealias Statement = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Progress = @convention(c) (UnsafeMutableRawPointer?) -> Int32

  typealias Open = @convention(c) (Text, UnsafeMutablePointer<Connection?>, Int32, Text?) -> Int32
  typealias Close = @convention(c) (Connection?) -> Int32
  typealias Limit = @convention(c) (Connection, Int32, Int32) -> Int32
  typealias OnProgress = @convention(c) (Connection, Int32, Progress?, UnsafeMutableRawPointer?) -> Void
  typealias Prepare =
    @convention(c) (Connection, Text, Int32, UnsafeMutablePointer<Statement?>, UnsafeMutablePointer<Text?>?) -> Int32
  typealias Step = @convention(c) (Statement) -> Int32
  typealias ColumnText = @convention(c) (Statement, Int32) -> UnsafePointer<UInt8>?
  typealias Finalize = @convention(c) (Statement?) -> Int32
  typealias Message = @convention(c) (Connection?) -> Text?

  let open: Open
  let close: Close
  let limit: Limit
  let onProgress: OnProgress
  let prepare: Prepare
  let step: Step
  let columnCount: Step
  let columnText: ColumnText
  let finalize: Finalize
  let message: Message

  /// Loads the library once.
  /// - Returns: `nil` if the machine has none.
  static let shared: SQLiteLibrary? = SQLiteLibrary()

  private init?() {
    guard let library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL) else { return nil }
    func function<Function>(_ name: String, _ type: Function.Type) -> Function? {
      dlsym(library, "sqlite3_" + name).map { unsafeBitCast($0, to: type) }
    }
    guard let open = function("open_v2", Open.self), let close = function("close_v2", Close.self),
      let limit = function("limit", Limit.self), let onProgress = function("progress_handler", OnProgress.self),
      let prepare = function("prepare_v2", Prepare.self), let step = function("step", Step.self),
      let columnCount = function("column_count", Step.self),
      let columnText = function("column_text", ColumnText.self),
      let finalize = function("finalize", Finalize.self), let message = function("errmsg", Message.self)
    else { return nil }
    (self.open, self.close, self.limit, self.onProgress) = (open, close, limit, onProgress)
    (self.prepare, self.step, self.columnCount) = (prepare, step, columnCount)
    (self.columnText, self.finalize, self.message) = (columnText, finalize, message)
  }
}
