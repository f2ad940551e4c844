// Package geo knows where things are: Azure's regions, the geographic hierarchy of Traffic Manager, and client addresses
// by a database of the MaxMind format compiled to flat tables.
package geo

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"sync"

	"tandem"
)

//go:embed countries.tsv
var countryText string

//go:embed regions.tsv
var regionText string

// Point is a place on earth in degrees.
type Point struct{ Lat, Lon float64 }

// Area is a node of the hierarchy: the world, a group of countries, a country, a state.
type Area struct {
	Code, Name string
	Parent     string // code; empty for the world
	At         Point  // of countries and states
}

type atlas struct {
	areas   []Area // parents before children
	byCode  map[string]int
	regions map[tandem.Region]Point
}

// load reads the embedded tables once; nothing changes them.
var load = sync.OnceValue(func() *atlas {
	a := &atlas{byCode: map[string]int{}, regions: map[tandem.Region]Point{}}
	add := func(x Area) {
		a.byCode[x.Code] = len(a.areas)
		a.areas = append(a.areas, x)
	}
	add(Area{Code: "WORLD", Name: "World"})
	for _, g := range [][2]string{{"GEO-AF", "Africa"}, {"GEO-AS", "Asia"}, {"GEO-AP", "Australia / Pacific"}, {"GEO-EU", "Europe"},
		{"GEO-ME", "Middle East"}, {"GEO-NA", "North America / Central America / Caribbean"}, {"GEO-SA", "South America"}} {
		add(Area{Code: g[0], Name: g[1], Parent: "WORLD"})
	}
	for line := range strings.Lines(countryText) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		add(Area{Code: f[0], Name: f[1], Parent: f[2], At: Point{number(f[3]), number(f[4])}})
	}
	for line := range strings.Lines(regionText) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		a.regions[tandem.Region(f[0])] = Point{number(f[1]), number(f[2])}
	}
	return a
})

// number reads the embedded tables, which a test checks.
func number(s string) float64 {
	v, _ := strconv.ParseFloat(s, 64)
	return v
}

// KnownCode tells whether code is in the hierarchy, in upper case.
func KnownCode(code string) bool {
	_, ok := load().byCode[code]
	return ok
}

// Areas is the hierarchy, parents before children.
func Areas() []Area { return load().areas }

// Chain gives the codes from the narrowest known up to the world: US-CA, US, GEO-NA, WORLD. Codes that are not known are
// passed over; the world is always there.
func Chain(country, state string) []string {
	a := load()
	code := ""
	if _, ok := a.byCode[country]; ok {
		code = country
		if _, ok := a.byCode[country+"-"+state]; ok {
			code = country + "-" + state
		}
	}
	var out []string
	for code != "" && code != "WORLD" {
		out = append(out, code)
		code = a.areas[a.byCode[code]].Parent
	}
	return append(out, "WORLD")
}

// Centre is the middle of a country or state.
func Centre(code string) (Point, bool) {
	a := load()
	i, ok := a.byCode[code]
	if !ok || a.areas[i].At == (Point{}) {
		return Point{}, false
	}
	return a.areas[i].At, true
}

// KnownRegion tells whether a region's place is known, by any spelling of its name.
func KnownRegion(name string) bool {
	_, ok := RegionPoint(name)
	return ok
}

// RegionPoint is where a region is.
func RegionPoint(name string) (Point, bool) {
	p, ok := load().regions[tandem.NormalRegion(name)]
	return p, ok
}

// Distance is the length of the great circle between two points, in kilometres.
func Distance(a, b Point) float64 {
	const radius, degree = 6371, math.Pi / 180
	s1, s2 := math.Sin((b.Lat-a.Lat)*degree/2), math.Sin((b.Lon-a.Lon)*degree/2)
	h := s1*s1 + s2*s2*math.Cos(a.Lat*degree)*math.Cos(b.Lat*degree)
	return 2 * radius * math.Asin(math.Sqrt(min(1, h)))
}
