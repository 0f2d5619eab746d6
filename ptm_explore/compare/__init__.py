"""Recipes side by side: equal budgets, the same yardsticks, intervals over seeds, what may be concluded."""
