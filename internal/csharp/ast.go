package csharp

// exprKind sorts expressions. The fields of expr that each kind uses stand beside it.
type exprKind uint8

const (
	xLiteral  exprKind = iota // val, typ2
	xName                     // name, types
	xMember                   // x, name, types
	xPredef                   // typ: string.Empty, int.Parse
	xCall                     // x, args
	xIndex                    // x, args
	xCond                     // x (receiver), y (the chain, ending in xHole)
	xHole                     // the receiver inside a chain
	xUnary                    // name, x
	xPostfix                  // name, x
	xBinary                   // name, x, y
	xTernary                  // x, y, z
	xAssign                   // name (operator), x, y
	xCast                     // typ, x
	xAs                       // typ, x
	xIs                       // typ or y (constant), x, name (pattern variable)
	xNew                      // typ, args, init
	xNewArray                 // typ (element, nil for new[]), args (sizes), init
	xAnon                     // init (xAssign-like members in inits)
	xInitList                 // list
	xLambda                   // params, x or body
	xInterp                   // parts
	xDefault                  // typ or nil
	xTypeof                   // typ
	xNameof                   // name
	xChecked                  // x, name
	xThrow                    // x
	xTuple                    // args
	xParen                    // x
	xStackBad                 // an expression that did not parse
)

type expr struct {
	kind   exprKind
	pos    int
	name   string
	val    Value
	lit    *Type
	typ    *typeExpr
	types  []*typeExpr
	x      *expr
	y      *expr
	z      *expr
	args   []arg
	init   *initializer
	params []param
	body   *stmt
	parts  []interpPart
}

type arg struct {
	name string // of a named argument
	mode string // "", "out", "ref", "in"
	x    *expr
	typ  *typeExpr // of an out declaration; its variable is in decl
	decl string
}

type param struct {
	name string
	typ  *typeExpr // nil when it is to be inferred
	pos  int
}

type interpPart struct {
	text   string
	x      *expr
	format string // ",10:N2"
}

// initializer is { … } after new: elements, members or indexed entries.
type initializer struct {
	pos   int
	items []initItem
}

type initItem struct {
	pos   int
	name  string  // member = value
	index []arg   // [index] = value
	value *expr   // nil when nested or list is set
	list  []*expr // { a, b } of a collection
	init  *initializer
}

type typeExpr struct {
	pos      int
	name     string // qualified with dots
	args     []*typeExpr
	elem     *typeExpr // of an array
	nullable *typeExpr
}

type stmtKind uint8

const (
	sExpr stmtKind = iota
	sVar
	sBlock
	sIf
	sWhile
	sDo
	sFor
	sForeach
	sSwitch
	sReturn
	sBreak
	sContinue
	sThrow
	sTry
	sUsing
	sEmpty
	sFunc
	sChecked
	sLock
)

type stmt struct {
	kind    stmtKind
	pos     int
	end     int
	x       *expr
	typ     *typeExpr // of a declaration; name "var" for var
	isConst bool
	decls   []declarator
	list    []*stmt // block; initialisers of for
	body    *stmt
	other   *stmt // else
	post    []*expr
	name    string // foreach variable, local function, checked or unchecked
	cases   []switchCase
	catches []catchClause
	finally *stmt
	params  []param
}

type declarator struct {
	pos  int
	name string
	x    *expr
	init *initializer // array initialiser
}

type switchCase struct {
	pos    int
	labels []caseLabel
	body   []*stmt
}

type caseLabel struct {
	pos   int
	value *expr // nil for default or a type pattern
	typ   *typeExpr
	name  string
	when  *expr
	deflt bool
}

type catchClause struct {
	pos  int
	typ  *typeExpr
	name string
	when *expr
	body *stmt
}
